import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { RedisBackend } from "@ratelimit/backend-redis";
import { type Policy, type PolicyOptions, RateLimiter, type RateLimitResult } from "@ratelimit/core";
import { startStandalone } from "@ratelimit/testbed";
import { Redis } from "ioredis";
import { afterAll, describe, expect, inject, test } from "vitest";
import { strict } from "../support/strict.ts";

const server = await startStandalone();
const redis = new Redis(server.url);
afterAll(async () => {
  redis.disconnect();
  await server[Symbol.asyncDispose]();
});

/** Two tokens per millisecond, 1000 in a bucket. */
const options = { rate: 2000, period: 1, burst: 1000, lease: "100ms" } as const satisfies PolicyOptions;

/** How many scripts the server has run. */
async function scripts(): Promise<number> {
  const stats = await redis.info("commandstats");
  const calls = ["evalsha", "eval"].map((command) => Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0));
  return calls.reduce((sum, count) => sum + count);
}

/** Makes so many calls per millisecond for so long, each waiting for the one before. */
async function use(limiter: RateLimiter, ms: number, perMs: number, cost: number = 1): Promise<RateLimitResult[]> {
  const results: RateLimitResult[] = [];
  const start = performance.now();
  while (performance.now() - start < ms) {
    while (results.length < (performance.now() - start) * perMs) results.push(await limiter.check("key", { cost }));
    await sleep(1);
  }
  return results;
}

function leased(results: readonly RateLimitResult[]): number {
  return results.filter(({ source }) => source === "lease").length / results.length;
}

/** What is stored of the bucket. A hold is an entry with an `h` in its name. */
async function stored(limiter: RateLimiter): Promise<string> {
  return (await redis.get(`ratelimit:${limiter.name}:key`)) ?? "";
}

async function withLimiter(options: PolicyOptions | { policy: Policy }, run: (limiter: RateLimiter) => Promise<void>): Promise<void> {
  await using backend = new RedisBackend({ url: server.url, ...strict });
  await using limiter = new RateLimiter({ ...options, name: randomUUID(), backend });
  await run(limiter);
}

describe("a busy key", () => {
  test("is decided with a call of Redis for many decisions, and nobody is refused below the limit", async () => {
    await withLimiter(options, async (limiter) => {
      const before = await scripts();
      const results = await use(limiter, 1000, 1);
      expect(results.every(({ allowed }) => allowed)).toBe(true);
      expect(leased(results)).toBeGreaterThan(0.9);
      expect((await scripts()) - before).toBeLessThan(results.length / 10);
    });
  });

  test("above the limit gets the limit and no more, and each retryAfter is at most the time until a token matures", async () => {
    await withLimiter(options, async (limiter) => {
      const start = performance.now();
      const results = await use(limiter, 1500, 8);
      const ms = Math.ceil(performance.now() - start);
      const admitted = results.filter(({ allowed }) => allowed).length;
      expect(admitted).toBeLessThanOrEqual(1000 + 2 * (ms + 1));
      expect(admitted).toBeGreaterThan(0.9 * (1000 + 2 * 1500));
      const waits = results.filter(({ allowed, source }) => !allowed && source === "lease").map(({ retryAfter }) => retryAfter);
      expect(waits.length).toBeGreaterThan(1000);
      expect(Math.max(...waits)).toBeLessThanOrEqual(0.2);
      expect(Math.min(...waits)).toBeGreaterThan(0);
    });
  });

  test("takes costs above 1 whole, and several limits together", async () => {
    const limits = [
      { name: "fast", rate: 2000, period: 1, burst: 1000 },
      { name: "slow", rate: 60_000, period: 60, burst: 1200 },
    ];
    await withLimiter({ limits, lease: "100ms" }, async (limiter) => {
      const start = performance.now();
      const results = await use(limiter, 1000, 1, 3);
      const ms = Math.ceil(performance.now() - start);
      const admitted = 3 * results.filter(({ allowed }) => allowed).length;
      expect(leased(results)).toBeGreaterThan(0.8);
      expect(admitted).toBeLessThanOrEqual(1200 + ms + 1);
      expect(admitted).toBeGreaterThan(0.9 * (1200 + 1000));
      expect(results.at(-1)?.limits.map(({ name }) => name)).toEqual(["fast", "slow"]);
    });
  });

  test("is handed back when nobody uses it, and its key expires when its bucket is full", async () => {
    await withLimiter(options, async (limiter) => {
      await use(limiter, 200, 1);
      expect(await stored(limiter)).toMatch(/\|\d+h\d+:/);
      await sleep(200);
      expect(await stored(limiter)).not.toMatch(/h/);
      const before = await scripts();
      await sleep(600);
      expect([await scripts(), await stored(limiter)]).toEqual([before, ""]);
    });
  });

  test("keeps what it holds in use although the bucket would have drained", async () => {
    await withLimiter(options, async (limiter) => {
      await using other = new RedisBackend({ url: server.url, ...strict });
      const elsewhere = new RateLimiter({ rate: 2000, period: 1, burst: 1000, lease: "100ms", name: limiter.name, backend: other });
      await use(limiter, 150, 1);
      const held = [...(await stored(limiter)).matchAll(/h\d+:\d+:(\d+)/g)].reduce((sum, [, units]) => sum + Number(units), 0);
      expect(held).toBeGreaterThan(50);
      expect((await elsewhere.peek("key")).limits[0]?.used).toBeGreaterThanOrEqual(held);
    });
  });
});

test("a key with few calls asks Redis each time", async () => {
  await withLimiter(options, async (limiter) => {
    const before = await scripts();
    for (let i = 0; i < 10; i++) {
      expect((await limiter.check("key")).source).toBe("backend");
      await sleep(40);
    }
    expect((await scripts()) - before).toBe(10);
  });
});

describe("what this process has in hand is handed back before", () => {
  test.each<[string, number, (limiter: RateLimiter) => Promise<unknown>]>([
    ["a peek", 2, (limiter) => limiter.peek("key")],
    ["a refund", 2, (limiter) => limiter.refund("key", 1)],
    ["a charge", 2, (limiter) => limiter.charge("key", 1)],
    ["a block", 2, (limiter) => limiter.block("key", "1s")],
    ["a reset", 2, (limiter) => limiter.reset("key")],
    [
      "a new policy",
      2,
      (limiter) => {
        limiter.update({ rate: 3000, period: 1, burst: 1000 });
        return limiter.check("key");
      },
    ],
    ["closing the backend", 1, (limiter) => limiter.backend.close() as Promise<void>],
  ])("%s", async (_, calls, act) => {
    await withLimiter(options, async (limiter) => {
      await use(limiter, 150, 1);
      expect(await stored(limiter)).toMatch(/h/);
      const before = await scripts();
      await act(limiter);
      expect((await scripts()) - before).toBe(calls);
      expect(await stored(limiter)).not.toMatch(/h/);
    });
  });

  test("and a reset leaves a full bucket, a block refuses, and a peek sees what is left", async () => {
    await withLimiter(options, async (limiter) => {
      await use(limiter, 150, 2);
      // The tokens of a lease drain when it ends, and so later than they were spent.
      expect((await limiter.peek("key")).remaining).toBeGreaterThan(700);
      await use(limiter, 150, 2);
      await limiter.reset("key");
      expect((await limiter.peek("key")).remaining).toBe(1000);
      await use(limiter, 150, 2);
      await limiter.block("key", "2s");
      expect(await limiter.check("key")).toMatchObject({ allowed: false, remaining: 0 });
      expect((await limiter.check("key")).retryAfter).toBeGreaterThan(1);
    });
  });
});

test("during an outage, tokens in hand are spent, and then `outage` decides", async () => {
  await using own = await startStandalone();
  await using backend = new RedisBackend({ url: own.url, onOutage: () => {} });
  const limiter = new RateLimiter({ ...options, name: randomUUID(), backend });
  await use(limiter, 200, 1);
  own.server.pause();
  const results = await use(limiter, 500, 1);
  own.server.resume();
  const sources = results.map(({ source }) => source);
  expect(sources[0]).toBe("lease");
  expect(sources.at(-1)).toBe("local");
  expect(results.every(({ allowed }) => allowed)).toBe(true);
});

test("leases work in a Cluster", async () => {
  await using backend = new RedisBackend({ cluster: inject("redis").cluster, ...strict });
  const limiter = new RateLimiter({ ...options, name: randomUUID(), backend });
  const results = await use(limiter, 500, 1);
  expect(results.every(({ allowed }) => allowed)).toBe(true);
  expect(leased(results)).toBeGreaterThan(0.8);
  expect((await limiter.peek("key")).remaining).toBeGreaterThan(500);
});
