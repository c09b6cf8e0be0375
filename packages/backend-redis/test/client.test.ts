import { safeClusterOptions, safeRedisOptions } from "@ratelimit/backend-redis";
import { type RedisCluster, type Standalone, startCluster, startFaultProxy, startStandalone } from "@ratelimit/testbed";
import { type EmittedWarning, warningsOf } from "@ratelimit/testbed/warnings";
import { Cluster, Redis } from "ioredis";
import { Redis as Redis5 } from "ioredis5";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { IoredisClient } from "../src/clients/ioredis.ts";
import { chargesOfLostReply } from "./support/lost-reply.ts";

type Client = IoredisClient & { disconnect(): void };

describe.concurrent("a call whose reply is lost is charged", () => {
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
    client.on("error", () => {});
    expect(await chargesOfLostReply(client, proxy)).toBe(times);
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
    client.on("error", () => {});
    expect(await chargesOfLostReply(client, proxy)).toBe(times);
    client.disconnect();
  });
});

describe("a process is warned", () => {
  /** Returns the warnings that a fresh process emits for this client. */
  async function warningsFor(client: Client): Promise<EmittedWarning[]> {
    vi.resetModules();
    const { warnOfIoredis } = await import("../src/clients/ioredis.ts");
    const warnings = await warningsOf(() => {
      for (let i = 0; i < 3; i++) warnOfIoredis(client);
    });
    client.disconnect();
    return warnings;
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
    const warnings = await warningsFor(make());
    expect(warnings.map(({ code }) => code)).toEqual(codes);
    for (const { message } of warnings) expect(message).toMatch(/safe(Redis|Cluster)Options/);
    expect(warnings.find(({ code }) => code === resends)?.message ?? "set `").toContain("set `");
  });
});
