import { connect, type Socket } from "node:net";
import { quantile } from "../figure.ts";
import type { Answers } from "../worker.ts";

/** What a server answered while it was kept busy. */
export interface Load {
  readonly requests: number;
  readonly refused: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const request = Buffer.from("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: keep-alive\r\n\r\n");

/** A process that keeps a server busy: so many connections, a request in flight on each. */
export function open(): Answers {
  return {
    prove: () => {},
    load: async ({ port, connections, ms }: { port: number; connections: number; ms: number }): Promise<Load> => {
      const latencies: number[] = [];
      let refused = 0;
      const start = performance.now();
      const end = start + ms;
      await Promise.all(
        Array.from({ length: connections }, () =>
          keepAsking(port, end, (status, tookMs) => {
            if (status !== 200 && status !== 429) throw new Error(`The server answered ${status}`);
            if (status === 429) refused++;
            latencies.push(tookMs);
          }),
        ),
      );
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

/** One connection, until `end`. */
function keepAsking(port: number, end: number, seen: (status: number, tookMs: number) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({ host: "127.0.0.1", port, noDelay: true });
    let [sent, received] = [0, Buffer.alloc(0)];
    const ask = (): void => {
      sent = performance.now();
      socket.write(request);
    };
    socket.once("connect", ask);
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("The server closed a connection")));
    socket.on("data", (data) => {
      received = received.length === 0 ? data : Buffer.concat([received, data]);
      const length = lengthOf(received);
      if (length === undefined || received.length < length) return;
      const now = performance.now();
      try {
        seen(Number(received.toString("latin1", 9, 12)), now - sent);
      } catch (error) {
        reject(error);
      }
      received = received.subarray(length);
      if (now < end) ask();
      else {
        socket.removeAllListeners("close");
        socket.destroy();
        resolve();
      }
    });
  });
}

/** Bytes of the answer that `received` begins with, once its head is there. */
function lengthOf(received: Buffer): number | undefined {
  const head = received.indexOf("\r\n\r\n");
  if (head < 0) return undefined;
  const length = /content-length: (\d+)/i.exec(received.toString("latin1", 0, head))?.[1];
  if (length === undefined) throw new Error("The server did not say how long its answer is");
  return head + 4 + Number(length);
}
