import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { RedisBackend, safeClusterOptions, safeRedisOptions } from "@ratelimit/backend-redis";
import { RateLimiter } from "@ratelimit/core";
import { type FaultProxy, type RedisCluster, type Standalone, startCluster, startFaultProxy, startStandalone } from "@ratelimit/testbed";
import { Cluster, Redis } from "ioredis";
import { Redis as Redis5 } from "ioredis5";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { RedisClient } from "../src/client.ts";
import { strict } from "./support/strict.ts";

type Client = RedisClient & { disconnect(): void };

/** Loses the reply to one call, and returns how often the bucket had been charged for it after 500 ms. */
async function charges(client: Client, proxy: FaultProxy): Promise<number> {
  client.on("error", () => {});
  await using backend = new RedisBackend({ client, ...strict, timeout: "1s" });
  // So slow that no token is refilled during the test.
  const limiter = new RateLimiter({ rate: 1, period: "10d", burst: 1000, name: randomUUID(), backend });
  await limiter.check("key");
  const before = (await limiter.peek("key")).remaining;
  await proxy.set("cutOnReply");
  await limiter.check("key").catch(() => {});
  await sleep(500);
  return before - (await limiter.peek("key")).remaining;
}

describe("a call whose reply is lost is charged", () => {
  let server: Standalone;
  let cluster: RedisCluster;
  beforeAll(async () => {
    const args = ["--cluster-announce-ip", "127.0.0.1"];
    [server, cluster] = await Promise.all([startStandalone(), startCluster({ masters: 1, replicas: 0, args })]);
  }, 30_000);
  afterAll(() => Promise.all([server.stop(), cluster.stop()]));

  test.each([
    ["twice by a Redis of ioredis 6 with its defaults", 2, (port: number) => new Redis(port)],
    ["twice by a Redis of ioredis 5 with its defaults", 2, (port: number) => new Redis5(port)],
    ["once without autoResendUnfulfilledCommands", 1, (port: number) => new Redis(port, { autoResendUnfulfilledCommands: false })],
    ["once with maxRetriesPerRequest 0", 1, (port: number) => new Redis(port, { maxRetriesPerRequest: 0 })],
    ["once with safeRedisOptions", 1, (port: number) => new Redis({ ...safeRedisOptions, port })],
  ])("%s", async (_, times, make) => {
    await using proxy = await startFaultProxy(server);
    const client = make(proxy.port);
    expect(await charges(client, proxy)).toBe(times);
    client.disconnect();
  });

  test.each([
    ["twice by a Cluster with its defaults", 2, {}],
    ["once with retryDelayOnFailover 0", 1, { retryDelayOnFailover: 0 }],
    ["once with safeClusterOptions", 1, safeClusterOptions],
  ] as const)("%s", async (_, times, options) => {
    const [{ host, port }] = cluster.addresses as [{ host: string; port: number }];
    await using proxy = await startFaultProxy({ host, port });
    const { host: there, port: behind } = proxy;
    const natMap = { [`${host}:${port}`]: { host: there, port: behind } };
    const client = new Cluster([{ host: there, port: behind }], { ...options, natMap });
    expect(await charges(client, proxy)).toBe(times);
    client.disconnect();
  });
});

describe("a process is warned", () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  /** Returns the warnings that a fresh process emits for this client. */
  async function warningsOf(client: Client): Promise<{ code: string; message: string }[]> {
    const emit = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    vi.resetModules();
    const { warnOfRisks } = await import("../src/client.ts");
    for (let i = 0; i < 3; i++) warnOfRisks(client);
    client.disconnect();
    return emit.mock.calls.map(([message, options]) => ({ code: (options as unknown as { code: string }).code, message: String(message) }));
  }

  const lazyConnect = true;
  const queues = "RATELIMIT_CLIENT_QUEUES";
  const resends = "RATELIMIT_CLIENT_RESENDS";

  test.each([
    ["a Redis with its defaults", () => new Redis({ lazyConnect }), [queues, resends]],
    ["a Redis of version 5", () => new Redis5({ lazyConnect }), [queues, resends]],
    [
      "a Redis that resends but does not retry",
      () => new Redis({ ...safeRedisOptions, autoResendUnfulfilledCommands: true, lazyConnect }),
      [],
    ],
    [
      "a Redis that resends and retries",
      () => new Redis({ ...safeRedisOptions, autoResendUnfulfilledCommands: true, maxRetriesPerRequest: 1, lazyConnect }),
      [resends],
    ],
    ["a Redis that retries forever", () => new Redis({ ...safeRedisOptions, maxRetriesPerRequest: null, lazyConnect }), [queues]],
    ["a safe Redis", () => new Redis({ ...safeRedisOptions, lazyConnect }), []],
    ["a Cluster with its defaults", () => new Cluster([6379], { lazyConnect }), [queues, resends]],
    ["a Cluster that resends", () => new Cluster([6379], { ...safeClusterOptions, retryDelayOnFailover: 100, lazyConnect }), [resends]],
    ["a safe Cluster", () => new Cluster([6379], { ...safeClusterOptions, lazyConnect }), []],
  ])("once about each risk of %s, with the setting that avoids it", async (_, make, codes) => {
    const warnings = await warningsOf(make());
    expect(warnings.map(({ code }) => code)).toEqual(codes);
    for (const { message } of warnings) expect(message).toMatch(/safe(Redis|Cluster)Options/);
    expect(warnings.find(({ code }) => code === resends)?.message ?? "set `").toContain("set `");
  });
});
