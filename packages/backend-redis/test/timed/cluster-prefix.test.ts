import { setTimeout as sleep } from "node:timers/promises";
import { RedisBackend, safeClusterOptions } from "@ratelimit/backend-redis";
import { RateLimiter } from "@ratelimit/core";
import { type RedisCluster, startCluster } from "@ratelimit/testbed";
import { Cluster } from "ioredis";
import { Cluster as Cluster5 } from "ioredis5";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { IoredisClient } from "../../src/clients/ioredis.ts";
import { slotOf } from "../../src/slots.ts";
import { Events } from "../support/load.ts";

let cluster: RedisCluster;
beforeAll(async () => {
  cluster = await startCluster({ replicas: 0, args: ["--cluster-require-full-coverage", "no", "--cluster-node-timeout", "60000"] });
}, 30_000);
afterAll(() => cluster.stop());

type Client = IoredisClient & { disconnect(): void };
const keys = Array.from({ length: 30 }, (_, i) => `k${i}`);

/** Returns the index of the master that keeps a key, given as Redis sees it. */
const masterOf = (key: string): number => Math.floor((slotOf(key) * 3) / 16_384);

test.each([
  ["none", "", (): Client => new Cluster([...cluster.addresses], safeClusterOptions)],
  ["app:", "app:", (): Client => new Cluster([...cluster.addresses], { ...safeClusterOptions, keyPrefix: "app:" })],
  [
    "app: among redisOptions",
    "app:",
    (): Client =>
      new Cluster5([...cluster.addresses], {
        ...safeClusterOptions,
        redisOptions: { ...safeClusterOptions.redisOptions, keyPrefix: "app:" },
      }),
  ],
  ["one with a hash tag", "{app}:", (): Client => new Cluster([...cluster.addresses], { ...safeClusterOptions, keyPrefix: "{app}:" })],
])(
  "if one of three masters is down, only its keys are decided locally (ioredis keyPrefix: %s)",
  { timeout: 30_000 },
  async (_, keyPrefix, make) => {
    const client = make();
    const events = new Events();
    const backend = new RedisBackend({ client, onOutage: events.listener, denyCache: false });
    const limiter = new RateLimiter({ name: "p", rate: 1000, backend });
    const stored = (key: string): string => `${keyPrefix}ratelimit:p:${key}`;
    /** Returns the source of each decision, or "late" if a call waited for the deadline. */
    const ask = async (): Promise<string[]> => {
      const start = performance.now();
      const sources = await Promise.all(keys.map(async (key) => (await limiter.check(key)).source));
      return performance.now() - start < 90 ? sources : ["late"];
    };
    const settles = async (sources: readonly string[]): Promise<void> => {
      const since = performance.now();
      while ((await ask()).join() !== sources.join()) {
        if (performance.now() - since > 5000) expect(await ask()).toEqual(sources);
        await sleep(20);
      }
    };
    const all = keys.map(() => "backend");
    await settles(all);
    events.all.length = 0;

    const out = masterOf(stored("k0"));
    const rest = keys.map((key) => (masterOf(stored(key)) === out ? "local" : "backend"));
    cluster.masters[out]?.pause();
    try {
      await settles(rest);
      for (let i = 0; i < 20; i++) {
        expect(await ask()).toEqual(rest);
        await sleep(20);
      }
    } finally {
      cluster.masters[out]?.resume();
    }
    await settles(all);
    expect(events.recovered).toBe(1);
    await backend.close();
    client.disconnect();
  },
);
