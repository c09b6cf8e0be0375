import { randomUUID } from "node:crypto";
import { RedisBackend, safeClusterOptions, safeRedisOptions } from "@ratelimit/backend-redis";
import { RateLimiter } from "@ratelimit/core";
import { startFaultProxy } from "@ratelimit/testbed";
import { warningsOf } from "@ratelimit/testbed/warnings";
import { Cluster, Redis } from "ioredis";
import { Redis as Redis5 } from "ioredis5";
import { describe, expect, inject, test } from "vitest";
import type { IoredisClient } from "../../src/clients/ioredis.ts";
import { strict } from "../support/strict.ts";

const { url, cluster } = inject("redis");
const port = Number(new URL(url).port);

type Client = IoredisClient & { disconnect(): void; listenerCount(event: string): number };

const clients: readonly [what: string, make: () => Client][] = [
  ["a Redis", () => new Redis(url, safeRedisOptions)],
  ["a Redis of version 5", () => new Redis5(url, safeRedisOptions)],
  ["a Cluster", () => new Cluster([...cluster], safeClusterOptions)],
];

const listenersOf = (client: Client): number =>
  ["ready", "error", "node error", "close", "end"].reduce((sum, event) => sum + client.listenerCount(event), 0);

describe("many backends on one client", () => {
  test.each(clients)("(%s) add one set of listeners, which the last backend removes", async (_, make) => {
    const warnings = await warningsOf(async () => {
      const client = make();
      const backends = Array.from({ length: 30 }, () => new RedisBackend({ client, ...strict }));
      // They all wait for the client and its nodes to connect.
      const limiters = backends.map((backend) => new RateLimiter({ rate: 10, backend, name: randomUUID() }));
      for (const result of await Promise.all(limiters.map((limiter) => limiter.check("key")))) expect(result.remaining).toBe(9);
      const listeners = listenersOf(client);

      for (const backend of backends.slice(1)) await backend.close();
      expect((await limiters[0]?.check("key"))?.remaining).toBe(8);
      await expect(limiters[1]?.check("key")).rejects.toMatchObject({ code: "INVALID_OPTION" });
      await backends[0]?.close();
      expect(listenersOf(client)).toBeLessThan(listeners);

      await using again = new RedisBackend({ client, ...strict });
      expect(listenersOf(client)).toBe(listeners);
      expect((await new RateLimiter({ rate: 10, backend: again, name: randomUUID() }).check("key")).remaining).toBe(9);
      client.disconnect();
    });
    expect(warnings).toEqual([]);
  });

  test("send INFO once after each connect", async () => {
    const admin = new Redis(url);
    const calls = async (): Promise<number> => Number(/^cmdstat_info:calls=(\d+)/m.exec(await admin.info("commandstats"))?.[1] ?? 0);
    const client = new Redis(url, { ...safeRedisOptions, enableReadyCheck: false });
    const backends = Array.from({ length: 12 }, () => new RedisBackend({ client, ...strict }));
    const limiters = backends.map((backend) => new RateLimiter({ rate: 10, backend, name: randomUUID() }));
    const checks = async (): Promise<unknown> => Promise.all(limiters.map((limiter) => limiter.check("key")));
    const before = await calls();
    await checks();
    await checks();
    // The INFO that reads the count does not include itself.
    expect((await calls()) - before).toBe(2);
    const ready = new Promise((resolve) => client.once("ready", resolve));
    client.disconnect(true);
    await ready;
    await checks();
    expect((await calls()) - before).toBe(4);
    await Promise.all(backends.map((backend) => backend.close()));
    client.disconnect();
    admin.disconnect();
  });

  test("all learn at once that the client has reconnected, without waiting for their own probes", async () => {
    await using proxy = await startFaultProxy({ host: "127.0.0.1", port });
    const client = new Redis({ ...safeRedisOptions, port: proxy.port });
    const backends = Array.from({ length: 12 }, () => new RedisBackend({ client, onOutage: () => {} }));
    const limiters = backends.map((backend) => new RateLimiter({ rate: 10, backend, name: randomUUID() }));
    const sources = async (): Promise<string[]> =>
      (await Promise.all(limiters.map((limiter) => limiter.check("key")))).map(({ source }) => source);
    expect(new Set(await sources())).toEqual(new Set(["backend"]));
    await proxy.set("refuse");
    proxy.cut();
    while ((await sources()).some((source) => source !== "local"));
    const ready = new Promise((resolve) => client.once("ready", resolve));
    await proxy.set("pass");
    await ready;
    const readyAt = performance.now();
    while ((await sources()).some((source) => source !== "backend")) await new Promise(setImmediate);
    expect(performance.now() - readyAt).toBeLessThan(150);
    await Promise.all(backends.map((backend) => backend.close()));
    client.disconnect();
  });
});
