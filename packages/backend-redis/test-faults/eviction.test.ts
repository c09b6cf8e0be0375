import { RedisBackend } from "@ratelimit/backend-redis";
import { RateLimiter } from "@ratelimit/core";
import { type Standalone, startStandalone } from "@ratelimit/testbed";
import { Redis } from "ioredis";
import { expect, test } from "vitest";
import { Events } from "../test/support/load.ts";

const blocked = Array.from({ length: 20 }, (_, i) => `blocked:${i}`);

/** Blocks some keys, sprays others at a Redis with little memory, and returns how many were evicted and unblocked. */
async function spray(redis: Standalone, cost: number = 1): Promise<{ evicted: number; unblocked: number; events: Events["all"] }> {
  const events = new Events();
  await using backend = new RedisBackend({ url: redis.url, timeout: "2s", denyCache: false, onOutage: events.listener });
  const limiter = new RateLimiter({ name: "spray", rate: 10, period: "1h", backend });
  for (const key of blocked) await limiter.check(key, { cost: 10 });
  let unblocked = 0;
  for (let round = 0; round < 300; round++) {
    await Promise.all(Array.from({ length: 200 }, (_, i) => limiter.check(`sprayed:${round}:${i}`, { cost })));
    if (round % 10 !== 9) continue;
    for (const key of blocked) if ((await limiter.peek(key)).allowed) unblocked++;
  }
  const admin = new Redis(redis.url);
  const evicted = Number(/evicted_keys:(\d+)/.exec(await admin.info("stats"))?.[1]);
  admin.disconnect();
  return { evicted, unblocked, events: events.all };
}

const memory = ["--maxmemory", "4mb", "--maxmemory-samples", "10"];

test("with volatile-ttl, 60,000 sprayed keys do not unblock a blocked one", { timeout: 60_000 }, async () => {
  await using redis = await startStandalone({ args: [...memory, "--maxmemory-policy", "volatile-ttl"] });
  const { evicted, unblocked, events } = await spray(redis);
  process.stdout.write(`volatile-ttl: ${evicted} keys evicted, a blocked one found unblocked ${unblocked} times\n`);
  expect(events).toEqual([]);
  expect(evicted).toBeGreaterThan(10_000);
  expect(unblocked).toBe(0);
});

test("with volatile-ttl, sprayed keys that are used up do unblock a blocked one, as the docs say", { timeout: 60_000 }, async () => {
  await using redis = await startStandalone({ args: [...memory, "--maxmemory-policy", "volatile-ttl"] });
  const { evicted, unblocked, events } = await spray(redis, 10);
  process.stdout.write(`volatile-ttl, each key used up: ${evicted} keys evicted, a blocked one found unblocked ${unblocked} times\n`);
  expect(events).toEqual([]);
  expect(evicted).toBeGreaterThan(10_000);
  expect(unblocked).toBeGreaterThan(0);
});

test("with allkeys-random, state is lost, as the docs say, and nothing else happens", { timeout: 60_000 }, async () => {
  await using redis = await startStandalone({ args: [...memory, "--maxmemory-policy", "allkeys-random"] });
  const { evicted, unblocked, events } = await spray(redis);
  process.stdout.write(`allkeys-random: ${evicted} keys evicted, a blocked one found unblocked ${unblocked} times\n`);
  expect(events).toEqual([]);
  expect(evicted).toBeGreaterThan(10_000);
  expect(unblocked).toBeGreaterThan(0);
});
