import { createServer, type Server } from "node:net";
import type { Address } from "./client.ts";
import { freePorts, HOST } from "./ports.ts";
import { ProxyConnection, type ProxyConnectionOwner } from "./proxy-connection.ts";

/**
 * What the proxy does to traffic:
 * - `pass`: nothing.
 * - `{ latency: { up, down } }`: every byte comes that many milliseconds later, to the server and back.
 * - `{ slice: n }`: bytes come in pieces of n.
 * - `blackholeEstablished`: the connections of now are swallowed for good, in later modes too; new ones pass.
 * - `blackholeNew`: new connections are accepted and stay silent for good; those of now pass.
 * - `refuse`: new connections are refused, those of now pass (`cut()` ends them).
 * - `cutOnReply`: the next command is executed, but instead of its reply comes a reset. Once; then `pass`.
 * - `halfReply`: of the next command's reply comes one half, then silence on that connection. Once; then `pass`.
 * - `garble`: commands do not reach the server, and are answered with garbage.
 * - `http`: commands do not reach the server, and are answered by an HTTP error and a close.
 */
export type FaultMode =
  | "pass"
  | { readonly latency: { readonly up?: number; readonly down?: number } }
  | { readonly slice: number }
  | "blackholeEstablished"
  | "blackholeNew"
  | "refuse"
  | "cutOnReply"
  | "halfReply"
  | "garble"
  | "http";

export interface FaultProxy extends Address, AsyncDisposable {
  readonly mode: FaultMode;
  /** Settled when the mode holds for every byte and connection that comes. */
  set(mode: FaultMode): Promise<void>;
  /** Resets every connection of now, in any mode. */
  cut(): void;
  /** Connections accepted so far, those open now, and the bytes received from clients (up) and from the server (down). */
  readonly counts: { readonly connections: number; readonly open: number; readonly up: number; readonly down: number };
  /** Ends every connection and gives the port back. */
  stop(): Promise<void>;
}

/** A TCP proxy on a free loopback port that can be told to misbehave. */
export async function startFaultProxy(target: Address): Promise<FaultProxy> {
  const [port] = (await freePorts(1)) as [number];
  const links = new Set<ProxyConnection>();
  const bytes = { up: 0, down: 0 };
  let connections = 0;
  let mode: FaultMode = "pass";
  let listener: Server | undefined;

  const owner: ProxyConnectionOwner = {
    target,
    get mode() {
      return mode;
    },
    done: () => {
      mode = "pass";
    },
    count: (direction, count) => {
      bytes[direction] += count;
    },
    forget: (link) => {
      links.delete(link);
    },
  };
  const open = async (): Promise<void> => {
    if (listener !== undefined) return;
    listener = createServer((client) => {
      connections++;
      links.add(new ProxyConnection(owner, client));
    });
    await listening(listener, port).catch((error: unknown) => {
      listener = undefined;
      throw error;
    });
  };
  const close = (): void => {
    listener?.close();
    listener = undefined;
  };
  const cut = (): void => {
    for (const link of links) link.cut();
  };
  const stop = async (): Promise<void> => {
    close();
    cut();
  };

  await open();
  return {
    host: HOST,
    port,
    get mode() {
      return mode;
    },
    get counts() {
      return { connections, open: [...links].filter((link) => link.open).length, ...bytes };
    },
    set: async (next) => {
      mode = next;
      for (const link of links) {
        link.disarm();
        if (next === "blackholeEstablished") link.silence();
      }
      if (next === "refuse") close();
      else await open();
    },
    cut,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function listening(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: HOST, port }, resolve);
  });
}
