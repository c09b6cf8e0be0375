import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { quantile } from "../figure.ts";
import type { Answers } from "../worker.ts";

/** The answers of a server under load. */
export interface Load {
  readonly requests: number;
  readonly refused: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const request = Buffer.from("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: keep-alive\r\n\r\n");

/** Loads servers over a number of connections, with one request in flight on each. The connections stay open between rounds. */
export function open(): Answers {
  const connectionsOf = new Map<number, Promise<readonly Connection[]>>();
  const connect = (port: number, count: number): Promise<readonly Connection[]> =>
    Promise.all(Array.from({ length: count }, () => Connection.to(port, () => connectionsOf.delete(port))));
  return {
    prove: () => {},
    load: async ({ port, connections, ms }: { port: number; connections: number; ms: number }): Promise<Load> => {
      const opened = connectionsOf.get(port) ?? connect(port, connections);
      connectionsOf.set(port, opened);
      const open = await opened;
      const latencies: number[] = [];
      let refused = 0;
      const start = performance.now();
      const seen = (status: number, tookMs: number): void => {
        if (status !== 200 && status !== 429) throw new Error(`The server answered ${status}`);
        if (status === 429) refused++;
        latencies.push(tookMs);
      };
      await Promise.all(open.map((connection) => connection.keepRequesting(start + ms, seen)));
      const seconds = (performance.now() - start) / 1000;
      return {
        requests: latencies.length,
        refused,
        perSecond: latencies.length / seconds,
        p50Ms: quantile(latencies, 0.5),
        p99Ms: quantile(latencies, 0.99),
      };
    },
  };
}

type OnReply = (status: number, tookMs: number) => void;

/** A connection that stays open between rounds. */
class Connection {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #answered: () => void = () => {};
  #failed: (error: unknown) => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (data) => this.#read(data));
    socket.on("error", (error) => this.#failed(error));
    socket.on("close", () => this.#failed(new Error("The server closed a connection")));
  }

  static async to(port: number, onClose: () => void): Promise<Connection> {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true });
    await once(socket, "connect");
    socket.once("close", onClose);
    return new Connection(socket);
  }

  /** Sends one request after the other until `end`. */
  keepRequesting(end: number, seen: OnReply): Promise<void> {
    return new Promise((resolve, reject) => {
      let sent = performance.now();
      this.#failed = reject;
      this.#answered = () => {
        const now = performance.now();
        seen(Number(this.#received.toString("latin1", 9, 12)), now - sent);
        sent = now;
        if (now < end) this.#socket.write(request);
        else resolve();
      };
      this.#socket.write(request);
    });
  }

  #read(data: Buffer): void {
    this.#received = this.#received.length === 0 ? data : Buffer.concat([this.#received, data]);
    try {
      const length = lengthOf(this.#received);
      if (length === undefined || this.#received.length < length) return;
      this.#answered();
      this.#received = this.#received.subarray(length);
    } catch (error) {
      this.#failed(error);
    }
  }
}

/** Returns the length in bytes of the first response in `received`, or `undefined` if its head is incomplete. */
function lengthOf(received: Buffer): number | undefined {
  const head = received.indexOf("\r\n\r\n");
  if (head < 0) return undefined;
  const length = /content-length: (\d+)/i.exec(received.toString("latin1", 0, head))?.[1];
  if (length === undefined) throw new Error("The response has no Content-Length");
  return head + 4 + Number(length);
}
