import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type FaultProxy, type Standalone, startFaultProxy, startStandalone } from "../src/index.ts";

let redis: Standalone;
beforeAll(async () => {
  redis = await startStandalone();
});
afterAll(() => redis.stop());

/** A minimal client that sees every byte and how its connection ended. */
class Client implements Disposable {
  readonly socket: Socket;
  received = "";
  chunks = 0;
  ending: "open" | "end" | "reset" | "refused" = "open";

  constructor(port: number) {
    this.socket = connect({ host: "127.0.0.1", port, noDelay: true });
    this.socket.on("data", (data) => {
      this.received += data.toString("latin1");
      this.chunks++;
    });
    this.socket.on("end", () => {
      this.ending = "end";
    });
    this.socket.on("error", (error: NodeJS.ErrnoException) => {
      this.ending = error.code === "ECONNREFUSED" ? "refused" : "reset";
    });
  }

  /** Sends an inline command and returns what has arrived after `ms`, or as soon as it ends with `until`. */
  async ask(command: string, { ms = 150, until }: { ms?: number; until?: string } = {}): Promise<string> {
    this.received = "";
    this.socket.write(`${command}\r\n`);
    const end = performance.now() + (until === undefined ? ms : 5000);
    while (performance.now() < end && !(until !== undefined && this.received.endsWith(until))) await sleep(2);
    return this.received;
  }

  ping(): Promise<string> {
    return this.ask("PING", { until: "+PONG\r\n" });
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

/** Returns the reply of Redis itself, without the proxy. */
async function value(key: string): Promise<string> {
  using direct = new Client(redis.port);
  return await direct.ask(`GET ${key}`, { until: "\r\n" });
}

async function proxied(use: (proxy: FaultProxy, client: Client) => Promise<void>): Promise<void> {
  await using proxy = await startFaultProxy(redis);
  using client = new Client(proxy.port);
  expect(await client.ping()).toBe("+PONG\r\n");
  await use(proxy, client);
}

describe.concurrent("the fault proxy", () => {
  test("passes data on and counts bytes and connections", () =>
    proxied(async (proxy, client) => {
      expect(proxy.mode).toBe("pass");
      expect(proxy.counts).toEqual({ connections: 1, open: 1, up: 6, down: 7 });
      using second = new Client(proxy.port);
      await second.ping();
      expect(proxy.counts).toEqual({ connections: 2, open: 2, up: 12, down: 14 });
      client.socket.destroy();
      await vi.waitFor(() => expect(proxy.counts.open).toBe(1));
    }));

  test("passes a megabyte in each direction in order", () =>
    proxied(async (_proxy, client) => {
      const big = "0123456789".repeat(100_000);
      const set = `*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$${big.length}\r\n${big}`;
      expect(await client.ask(set, { until: "+OK\r\n" })).toBe("+OK\r\n");
      expect(await client.ask("GET big", { until: `${big.slice(-20)}\r\n` })).toBe(`$${big.length}\r\n${big}\r\n`);
    }));

  test("with latency, delays both directions and keeps the order", () =>
    proxied(async (proxy, client) => {
      await proxy.set({ latency: { up: 60, down: 40 } });
      const start = performance.now();
      await client.ping();
      const took = performance.now() - start;
      expect(took).toBeGreaterThanOrEqual(99);
      expect(took).toBeLessThan(300);
      await client.ask("ECHO a\r\nECHO b\r\nECHO c", { until: "c\r\n" });
      expect(client.received).toBe("$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n");
      client.received = "";
      client.socket.write("ECHO slow\r\n");
      await sleep(20);
      await proxy.set("pass");
      expect(await client.ask("ECHO fast", { until: "fast\r\n" })).toBe("$4\r\nslow\r\n$4\r\nfast\r\n");
    }));

  test("with slice, passes complete replies in tiny pieces", () =>
    proxied(async (proxy, client) => {
      await proxy.set({ slice: 1 });
      client.chunks = 0;
      expect(await client.ask("ECHO 0123456789", { until: "9\r\n" })).toBe("$10\r\n0123456789\r\n");
      expect(client.chunks).toBeGreaterThan(3);
    }));

  test("with blackholeEstablished, silences open connections forever and passes new ones", () =>
    proxied(async (proxy, client) => {
      await proxy.set("blackholeEstablished");
      expect(await client.ask("SET blackhole 1")).toBe("");
      expect(await value("blackhole")).toBe("$-1\r\n");
      using second = new Client(proxy.port);
      expect(await second.ping()).toBe("+PONG\r\n");
      await proxy.set("pass");
      expect(await client.ask("PING")).toBe("");
      expect(client.ending).toBe("open");
    }));

  test("with blackholeNew, accepts new connections but stays silent, and passes open ones", () =>
    proxied(async (proxy, client) => {
      await proxy.set("blackholeNew");
      using second = new Client(proxy.port);
      expect(await second.ask("PING")).toBe("");
      expect(second.ending).toBe("open");
      expect(second.socket.readyState).toBe("open");
      expect(await client.ping()).toBe("+PONG\r\n");
      await proxy.set("pass");
      expect(await second.ask("PING")).toBe("");
      using third = new Client(proxy.port);
      expect(await third.ping()).toBe("+PONG\r\n");
    }));

  test("with refuse, takes no new connection until the port is open again, and cut() ends the open ones", () =>
    proxied(async (proxy, client) => {
      await proxy.set("refuse");
      using second = new Client(proxy.port);
      await vi.waitFor(() => expect(second.ending).toBe("refused"));
      expect(await client.ping()).toBe("+PONG\r\n");
      proxy.cut();
      await vi.waitFor(() => expect(client.ending).toBe("reset"));
      await proxy.set("pass");
      using third = new Client(proxy.port);
      expect(await third.ping()).toBe("+PONG\r\n");
    }));

  test("with cutOnReply, lets one command be executed and resets its connection instead of replying", () =>
    proxied(async (proxy, client) => {
      await proxy.set("cutOnReply");
      expect(proxy.mode).toBe("cutOnReply");
      expect(await client.ask("INCR cut")).toBe("");
      expect(client.ending).toBe("reset");
      expect(await value("cut")).toBe("$1\r\n1\r\n");
      expect(proxy.mode).toBe("pass");
      using second = new Client(proxy.port);
      expect(await second.ping()).toBe("+PONG\r\n");
    }));

  test("with halfReply, passes half of one reply and then stays silent", () =>
    proxied(async (proxy, client) => {
      await proxy.set("halfReply");
      expect(await client.ask("ECHO 01234567890123456789")).toBe("$20\r\n01234567");
      expect(await client.ask("PING")).toBe("");
      expect(client.ending).toBe("open");
      using second = new Client(proxy.port);
      expect(await second.ping()).toBe("+PONG\r\n");
    }));

  test("with garble, replies with garbage and does not pass the command on", () =>
    proxied(async (proxy, client) => {
      await proxy.set("garble");
      expect(await client.ask("SET garble 1")).toMatch(/garbage/);
      using second = new Client(proxy.port);
      expect(await second.ask("PING")).toMatch(/garbage/);
      expect(await value("garble")).toBe("$-1\r\n");
      await proxy.set("pass");
      expect(await client.ping()).toBe("+PONG\r\n");
    }));

  test("with http, replies with an HTTP error, closes, and does not pass the command on", () =>
    proxied(async (proxy, client) => {
      await proxy.set("http");
      expect(await client.ask("SET http 1")).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n[\s\S]*\r\n\r\nBad Request$/);
      expect(client.ending).toBe("end");
      expect(await value("http")).toBe("$-1\r\n");
    }));

  test("resets connections while the server is down, and ends them when it ends", async () => {
    await using mortal = await startStandalone();
    await using proxy = await startFaultProxy(mortal);
    using client = new Client(proxy.port);
    await client.ping();
    await mortal.server.kill();
    await vi.waitFor(() => expect(client.ending).not.toBe("open"));
    using second = new Client(proxy.port);
    await vi.waitFor(() => expect(second.ending).toBe("reset"));
    await mortal.server.restart();
    using third = new Client(proxy.port);
    expect(await third.ping()).toBe("+PONG\r\n");
  });

  test.for(["pass", "blackholeEstablished", "blackholeNew", "refuse", "halfReply"] as const)(
    "ends every connection in mode %s when stopped, and may be stopped again",
    async (mode) => {
      const proxy = await startFaultProxy(redis);
      using client = new Client(proxy.port);
      await client.ping();
      await proxy.set(mode);
      await proxy.stop();
      await proxy.stop();
      await vi.waitFor(() => expect(client.ending).toBe("reset"));
      await vi.waitFor(() => expect(proxy.counts.open).toBe(0));
      using late = new Client(proxy.port);
      await vi.waitFor(() => expect(late.ending).toBe("refused"));
    },
  );
});
