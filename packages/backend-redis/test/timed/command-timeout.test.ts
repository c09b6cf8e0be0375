import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { RedisBackend, safeClusterOptions, safeRedisOptions } from "@ratelimit/backend-redis";
import { RateLimiter } from "@ratelimit/core";
import { startCluster, startStandalone } from "@ratelimit/testbed";
import { Cluster, Redis } from "ioredis";
import { Redis as Redis5 } from "ioredis5";
import { expect, test } from "vitest";
import type { IoredisClient } from "../../src/clients/ioredis.ts";
import { Events } from "../support/load.ts";

const commandTimeout = 40;
type Client = IoredisClient & { disconnect(): void };

test.each([
  ["a Redis", (port: number): Client => new Redis({ ...safeRedisOptions, port, commandTimeout })],
  ["a Redis of version 5", (port: number): Client => new Redis5({ ...safeRedisOptions, port, commandTimeout })],
  [
    "a Cluster",
    (port: number): Client =>
      new Cluster([port], { ...safeClusterOptions, redisOptions: { ...safeClusterOptions.redisOptions, commandTimeout } }),
  ],
])("one stall beyond the commandTimeout of %s fails only the calls that it delays", async (what, make) => {
  const isCluster = what === "a Cluster";
  const own = isCluster
    ? await startCluster({ masters: 1, replicas: 0, args: ["--cluster-announce-ip", "127.0.0.1"] })
    : await startStandalone();
  const server = "masters" in own ? own.masters[0] : own.server;
  if (server === undefined) throw new Error("There is no server");
  const client = make(server.port);
  const events = new Events();
  const backend = new RedisBackend({ client, timeout: "1s", denyCache: false, onOutage: events.listener });
  const limiter = new RateLimiter({ name: randomUUID(), rate: 1000, backend });
  while ((await limiter.check("key")).source !== "backend") await sleep(20);
  events.all.length = 0;
  server.pause();
  const delayed = await Promise.all(Array.from({ length: 30 }, (_, i) => limiter.check(`key ${i}`)));
  server.resume();
  expect(delayed.map(({ source }) => source)).toEqual(delayed.map(() => "local"));
  expect(events.all[0]).toMatchObject({ class: "timeout", reason: "Command timed out" });
  for (let i = 0; i < 5; i++) expect((await limiter.check("key")).source).toBe("backend");
  await backend.close();
  client.disconnect();
  await own.stop();
});

test("a server that keeps exceeding the commandTimeout is considered down after half a second", async () => {
  await using server = await startStandalone();
  const client = new Redis({ ...safeRedisOptions, port: server.port, commandTimeout });
  const events = new Events();
  await using backend = new RedisBackend({ client, timeout: "1s", onOutage: events.listener });
  const limiter = new RateLimiter({ name: randomUUID(), rate: 1000, backend });
  await limiter.check("key");
  server.server.pause();
  const pausedAt = performance.now();
  let last = commandTimeout;
  for (; last > 5; last = performance.now() - last) {
    if (performance.now() - pausedAt > 5000) throw new Error("Calls still wait for a server that is down");
    last = performance.now();
    expect((await limiter.check("key")).source).toBe("local");
  }
  expect(performance.now() - pausedAt).toBeGreaterThan(450);
  expect(new Set(events.all.map((event) => event.class))).toEqual(new Set(["timeout"]));
  server.server.resume();
  client.disconnect();
});
