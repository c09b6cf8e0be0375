import { createServer, type Server } from "node:net";
import type { Address } from "./client.ts";
import { freePorts, HOST } from "./ports.ts";
import { ProxyConnection, type ProxyConnectionOwner } from "./proxy-connection.ts";

/**
 * What the proxy does to traffic:
 * - `pass`: nothing.
 * - `{ latency: { up, down } }`: delays every byte by that many milliseconds, to the server and back.
 * - `{ slice: n }`: delivers bytes in pieces of n.
 * - `blackholeEstablished`: silences the open connections for good, even in later modes. New ones pass.
 * - `blackholeNew`: accepts new connections, and silences them for good. Open ones pass.
 * - `refuse`: refuses new connections. Open ones pass (`cut()` ends them).
 * - `cutOnReply`: lets the next command execute, but resets the connection instead of replying. Once, then `pass`.
 * - `halfReply`: delivers half of the next reply, then silences that connection. Once, then `pass`.
 * - `garble`: answers commands with garbage. They do not reach the server.
 * - `http`: answers commands with an HTTP error and closes the connection. They do not reach the server.
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
  /** Resolves when the mode applies to every further byte and connection. */
  set(mode: FaultMode): Promise<void>;
  /** Resets every open connection, in any mode. */
  cut(): void;
  /** Connections accepted so far, those open now, and the bytes received from clients (up) and from the server (down). */
  readonly counts: { readonly connections: number; readonly open: number; readonly up: number; readonly down: number };
  /** Ends every connection and frees the port. */
  stop(): Promise<void>;
}

/** Starts a TCP proxy on a free loopback port that misbehaves on demand. */
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
