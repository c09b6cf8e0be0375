import { fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { RedisBackend } from "@ratelimit/backend-redis";
import { RateLimiter } from "@ratelimit/core";
import { startStandalone } from "@ratelimit/testbed";
import { type Bundle, bundle } from "@ratelimit/testbed/bundle";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { strict } from "./support/strict.ts";
import type { Undoing } from "./support/undoer.ts";

const { url } = inject("redis");
const backend = new RedisBackend({ url, ...strict });
afterAll(() => backend.close());

/** One token a minute, which is taken. */
async function used(policy: object = { rate: 1 }): Promise<{ limiter: RateLimiter; name: string }> {
  const name = randomUUID();
  const limiter = new RateLimiter({ rate: 1, ...policy, backend, name });
  await limiter.check("key");
  return { limiter, name };
}

const sourceOf = async (limiter: RateLimiter): Promise<string> => (await limiter.check("key")).source;

describe("a key that was seen used up is refused from memory", () => {
  test("until the call would be admitted: its figures drain, and it is admitted no later", async () => {
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

  test("for that cost and more, by several limits too; less is asked for", async () => {
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

  test("and costs Redis nothing", async () => {
    await using own = await startStandalone();
    await using there = new RedisBackend({ url: own.url, ...strict });
    const limiter = new RateLimiter({ rate: 1, backend: there });
    for (let i = 0; i < 2; i++) await limiter.check("key");
    const redis = new Redis(own.url);
    const calls = async (): Promise<number> => Number(/cmdstat_evalsha:calls=(\d+)/.exec(await redis.info("commandstats"))?.[1] ?? 0);
    const before = await calls();
    for (let i = 0; i < 100; i++) expect((await limiter.check("key")).allowed).toBe(false);
    expect(await calls()).toBe(before);
    redis.disconnect();
  });

  test("by `denyCache: false` it is not", async () => {
    await using asking = new RedisBackend({ url, ...strict, denyCache: false });
    const limiter = new RateLimiter({ rate: 1, backend: asking, name: randomUUID() });
    for (let i = 0; i < 3; i++) expect(await sourceOf(limiter)).toBe("backend");
  });
});

describe("a refusal is forgotten at once", () => {
  test.each<[string, (limiter: RateLimiter) => unknown, boolean]>([
    ["by a refund", (limiter) => limiter.refund("key"), true],
    ["by a reset", (limiter) => limiter.reset("key"), true],
    ["by a larger limit", (limiter) => limiter.update({ rate: 1, burst: 5 }), true],
    ["by a charge, for its figures are old", (limiter) => limiter.charge("key", 1), false],
  ])("%s", async (_, undo, allowed) => {
    const { limiter } = await used();
    expect(await limiter.check("key")).toMatchObject({ allowed: false, source: "deny-cache" });
    await undo(limiter);
    expect(await limiter.check("key")).toMatchObject({ allowed, source: "backend" });
  });

  test("is not asked by who only looks", async () => {
    const { limiter } = await used();
    await limiter.check("key");
    expect((await limiter.peek("key")).source).toBe("backend");
    expect((await limiter.check("key", { cost: 0 })).source).toBe("backend");
  });
});

describe("what another process gives back is seen within a second", () => {
  let program: Bundle;
  beforeAll(async () => {
    program = await bundle(join(import.meta.dirname, "support/undoer.ts"));
  });
  afterAll(() => program[Symbol.asyncDispose]());

  test.each<[Undoing["by"]]>([["reset"], ["refund"]])("by %s", { timeout: 20_000 }, async (by) => {
    const { limiter, name } = await used();
    const child = fork(program.path, { execArgv: ["--unhandled-rejections=strict"] });
    const deniedAt = performance.now();
    expect(await limiter.check("key")).toMatchObject({ allowed: false, source: "deny-cache" });
    child.send({ url, limiter: { rate: 1, name }, key: "key", by } satisfies Undoing);
    await once(child, "message");
    const undoneAt = performance.now();
    // Asked all the while: a refusal that is remembered does not prolong itself.
    let allowed = false;
    while (!allowed && performance.now() < undoneAt + 5000) {
      ({ allowed } = await limiter.check("key"));
      if (!allowed) await sleep(5);
    }
    expect(allowed).toBe(true);
    expect(performance.now() - Math.max(undoneAt, deniedAt)).toBeLessThan(1000 + 250);
  });
});

test("no more than 10,000 refusals of a limiter are remembered", { timeout: 30_000 }, async () => {
  const name = randomUUID();
  const limiter = new RateLimiter({ rate: 1, period: "1h", backend, name });
  const keys = Array.from({ length: 10_001 }, (_, i) => `key:${i}`);
  const ask = (): Promise<string[]> => Promise.all(keys.map(async (key) => (await limiter.check(key)).source));
  await ask();
  const startedAt = performance.now();
  expect(new Set(await ask())).toEqual(new Set(["backend"]));
  const again = await Promise.all([keys[0], keys[1], keys[10_000]].map(async (key) => (await limiter.check(key as string)).source));
  // On a machine that took longer for it, nothing is remembered any more.
  if (performance.now() - startedAt < 900) expect(again).toEqual(["backend", "deny-cache", "deny-cache"]);
});
