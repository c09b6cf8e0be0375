import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { RedisBackend } from "@ratelimit/backend-redis";
import { definePolicy, RateLimiter } from "@ratelimit/core";
import { startStandalone } from "@ratelimit/testbed";
import { type Bundle, bundle } from "@ratelimit/testbed/bundle";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { answerTo, startChild } from "../support/child.ts";
import { strict } from "../support/strict.ts";
import type { Undoing } from "../support/undoer.ts";

const { url } = inject("redis");
const backend = new RedisBackend({ url, ...strict });
afterAll(() => backend.close());

/** Makes a limiter, by default of one token per minute, and takes a token. */
async function used(policy: object = { rate: 1 }): Promise<{ limiter: RateLimiter; name: string }> {
  const name = randomUUID();
  const limiter = new RateLimiter({ rate: 1, ...policy, backend, name });
  await limiter.check("key");
  return { limiter, name };
}

const sourceOf = async (limiter: RateLimiter): Promise<string> => (await limiter.check("key")).source;

describe("a key that Redis has reported as used up is refused from memory", () => {
  test("until the call would be admitted: its `retryAfter` shrinks, and the call is admitted on time", async () => {
    const { limiter } = await used({ rate: 5, period: 1, burst: 1 });
    const first = await limiter.check("key");
    expect(first).toMatchObject({ allowed: false, source: "deny-cache" });
    const dueAt = performance.now() + first.retryAfter * 1000;
    await sleep(first.retryAfter * 500);
    const again = await limiter.check("key");
    expect(again).toMatchObject({ allowed: false, source: "deny-cache", remaining: 0, degraded: false });
    expect(again.retryAfter).toBeLessThan(first.retryAfter);
    expect(again.retryAfter).toBeGreaterThan(0);
    await sleep(dueAt - performance.now());
    expect(await limiter.check("key")).toMatchObject({ allowed: true, source: "backend" });
  });

  test("for that cost and higher ones, even with several limits, but Redis is asked for lower costs", async () => {
    const { limiter } = await used({
      rate: undefined,
      limits: [
        { name: "a", rate: 3 },
        { name: "b", rate: 9 },
      ],
    });
    expect(await limiter.check("key", { cost: 3 })).toMatchObject({ allowed: false, source: "backend" });
    expect(await limiter.check("key", { cost: 3 })).toMatchObject({ allowed: false, source: "deny-cache", tightest: "a" });
    expect(await limiter.check("key", { cost: 9 })).toMatchObject({ allowed: false, source: "deny-cache" });
    expect(await limiter.check("key", { cost: 2 })).toMatchObject({ allowed: true, source: "backend" });
  });

  test("without a call to Redis", async () => {
    await using own = await startStandalone();
    await using there = new RedisBackend({ url: own.url, ...strict });
    const limiter = new RateLimiter({ name: "costs", rate: 1, backend: there });
    for (let i = 0; i < 2; i++) await limiter.check("key");
    const redis = new Redis(own.url);
    const calls = async (): Promise<number> => Number(/cmdstat_evalsha:calls=(\d+)/.exec(await redis.info("commandstats"))?.[1] ?? 0);
    const before = await calls();
    for (let i = 0; i < 100; i++) expect((await limiter.check("key")).allowed).toBe(false);
    expect(await calls()).toBe(before);
    redis.disconnect();
  });

  test("unless `denyCache` is false", async () => {
    await using asking = new RedisBackend({ url, ...strict, denyCache: false });
    const limiter = new RateLimiter({ rate: 1, backend: asking, name: randomUUID() });
    for (let i = 0; i < 3; i++) expect(await sourceOf(limiter)).toBe("backend");
  });
});

describe("a remembered refusal is forgotten at once", () => {
  test.each<[string, (limiter: RateLimiter) => unknown, boolean]>([
    ["by a refund", (limiter) => limiter.refund("key"), true],
    ["by a reset", (limiter) => limiter.reset("key"), true],
    ["by a larger limit", (limiter) => limiter.update({ rate: 1, burst: 5 }), true],
    ["by a charge, because its figures are outdated", (limiter) => limiter.charge("key", 1), false],
  ])("%s", async (_, undo, allowed) => {
    const { limiter } = await used();
    expect(await limiter.check("key")).toMatchObject({ allowed: false, source: "deny-cache" });
    await undo(limiter);
    expect(await limiter.check("key")).toMatchObject({ allowed, source: "backend" });
  });

  test.each(["refund", "reset"] as const)("by a %s that is not awaited: a check right after it sees its effect", async (undo) => {
    const { limiter } = await used();
    expect(await sourceOf(limiter)).toBe("deny-cache");
    const undone = limiter[undo]("key");
    expect(await limiter.check("key")).toMatchObject({ allowed: true, source: "backend" });
    await undone;
  });

  test("for a peek or a check that costs nothing", async () => {
    const { limiter } = await used();
    await limiter.check("key");
    expect((await limiter.peek("key")).source).toBe("backend");
    expect((await limiter.check("key", { cost: 0 })).source).toBe("backend");
  });
});

describe.each([
  ["one server", () => new RedisBackend({ url, ...strict })],
  ["a Cluster", () => new RedisBackend({ cluster: inject("redis").cluster, ...strict })],
])("once resolved, on %s,", (_, open) => {
  const [one, two] = [open(), open()];
  afterAll(() => Promise.all([one.close(), two.close()]));
  const undoings: readonly [string, (limiter: RateLimiter) => Promise<unknown>][] = [
    ["a refund", (limiter) => limiter.refund("key", 5)],
    ["a reset", (limiter) => limiter.reset("key")],
  ];

  test.each(undoings)("%s takes effect, whatever was in flight when it was called", async (_, undo) => {
    for (let i = 0; i < 200; i++) {
      const limiter = new RateLimiter({ rate: 10, period: "1h", backend: one, name: randomUUID() });
      await limiter.check("key", { cost: 10 });
      const others = [limiter.check("another"), limiter.check("key")];
      await turn();
      await undo(limiter);
      expect(await limiter.check("key")).toMatchObject({ allowed: true, source: "backend" });
      await Promise.all(others);
      await limiter.close();
    }
  });

  test.each(undoings)("%s by another backend of this process takes effect too", async (_, undo) => {
    for (let i = 0; i < 200; i++) {
      const name = randomUUID();
      const limiter = new RateLimiter({ rate: 10, period: "1h", backend: one, name });
      const undoing = new RateLimiter({ rate: 10, period: "1h", backend: two, name });
      await limiter.check("key", { cost: 10 });
      expect(await limiter.check("key")).toMatchObject({ allowed: false, source: "deny-cache" });
      // Half of the time a call is in flight whose reply may be older.
      const late = i % 2 === 0 ? limiter.check("key", { cost: 0 }) : undefined;
      await undo(undoing);
      await late;
      expect(await limiter.check("key")).toMatchObject({ allowed: true, source: "backend" });
      await Promise.all([limiter.close(), undoing.close()]);
    }
  });

  test("a block by another backend of this process takes effect too", async () => {
    const scope = { prefix: `ratelimit:${randomUUID()}:`, policy: definePolicy({ rate: 10, period: "1m", burst: 1 }) };
    await one.take(scope, "key", 1);
    expect(await one.take(scope, "key", 1)).toMatchObject({ allowed: false, source: "deny-cache" });
    await two.block(scope, "key", 3_600_000);
    expect((await one.take(scope, "key", 1)).blockedMs).toBeGreaterThan(3_500_000);
  });
});

describe("what another process gives back is seen within a second", () => {
  let program: Bundle;
  beforeAll(async () => {
    program = await bundle(join(import.meta.dirname, "../support/undoer.ts"));
  });
  afterAll(() => program[Symbol.asyncDispose]());

  test.each<[Undoing["by"]]>([["reset"], ["refund"]])("by %s", { timeout: 20_000 }, async (by) => {
    const { limiter, name } = await used();
    const child = startChild(program.path);
    const deniedAt = performance.now();
    expect(await limiter.check("key")).toMatchObject({ allowed: false, source: "deny-cache" });
    await answerTo(child, { url, limiter: { rate: 1, name }, key: "key", by } satisfies Undoing);
    const undoneAt = performance.now();
    // Keep asking, because a remembered refusal must not prolong itself.
    let allowed = false;
    while (!allowed && performance.now() < undoneAt + 5000) {
      ({ allowed } = await limiter.check("key"));
      if (!allowed) await sleep(5);
    }
    expect(allowed).toBe(true);
    expect(performance.now() - Math.max(undoneAt, deniedAt)).toBeLessThan(1000 + 250);
  });
});
