import { MemoryBackend } from "@ratelimit/backend-memory";
import { ManualClock, RateLimiter } from "@ratelimit/core";
import { describe, expect, test } from "vitest";

/** Refills one token per hour, so nothing is refilled during a test unless the clock is moved. */
function hourly(backend: MemoryBackend, burst: number, name: string = "default"): RateLimiter<MemoryBackend> {
  return new RateLimiter({ rate: 1, period: "1h", burst, name, backend });
}

function keysOf(count: number, prefix: string = "key"): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}-${i}`);
}

describe("maxKeys", () => {
  test("limits the number of buckets across all limiters", () => {
    const backend = new MemoryBackend({ maxKeys: 50, clock: new ManualClock() });
    const limiters = ["a", "b", "c"].map((name) => hourly(backend, 10, name));
    for (const key of keysOf(500)) {
      for (const limiter of limiters) limiter.checkSync(key);
      expect(backend.stats.keys).toBeLessThanOrEqual(50);
    }
    expect(backend.stats).toEqual({ keys: 50, evictions: 1450 });
  });

  test.each([1, 2, 16, 17])("of %d works", (maxKeys) => {
    const backend = new MemoryBackend({ maxKeys, clock: new ManualClock() });
    const limiter = hourly(backend, 10);
    for (const key of keysOf(100)) expect(limiter.checkSync(key).remaining).toBe(9);
    expect(backend.stats).toEqual({ keys: maxKeys, evictions: 100 - maxKeys });
  });

  test("does not count peeks, refusals of new keys, refunds or resets", async () => {
    const backend = new MemoryBackend({ maxKeys: 10, clock: new ManualClock() });
    const limiter = hourly(backend, 5);
    for (const key of keysOf(100)) {
      limiter.checkSync(key, { cost: 0 });
      limiter.checkSync(key, { cost: 6 });
      await limiter.peek(key);
      await limiter.refund(key);
      limiter.checkSync(key, { cost: 2 });
      await limiter.refund(key, 2);
      limiter.checkSync(key);
      await limiter.reset(key);
    }
    expect(backend.stats).toEqual({ keys: 0, evictions: 0 });
  });

  test("leaves room in a full table for the first key of a new limiter", () => {
    const backend = new MemoryBackend({ maxKeys: 20, clock: new ManualClock() });
    for (const key of keysOf(20)) hourly(backend, 10).checkSync(key);
    const late = hourly(backend, 10, "late");
    expect([late.checkSync("key").remaining, late.checkSync("key").remaining]).toEqual([9, 8]);
    expect(backend.stats).toEqual({ keys: 20, evictions: 1 });
  });
});

describe("the bucket that is evicted", () => {
  test("is the fullest one", () => {
    const backend = new MemoryBackend({ maxKeys: 8, clock: new ManualClock() });
    const limiter = hourly(backend, 100);
    for (const [i, key] of keysOf(8).entries()) limiter.checkSync(key, { cost: 90 - 5 * i });
    limiter.checkSync("new", { cost: 95 });
    const left = keysOf(8).map((key) => limiter.checkSync(key, { cost: 0 }).remaining);
    expect(left).toEqual([10, 15, 20, 25, 30, 35, 40, 100]);
  });

  test("is the fullest relative to its limit if limits differ", () => {
    const backend = new MemoryBackend({ maxKeys: 2, clock: new ManualClock() });
    const [large, small] = [hourly(backend, 1000, "large"), hourly(backend, 2, "small")];
    large.checkSync("key", { cost: 100 });
    small.checkSync("key", { cost: 2 });
    small.checkSync("new", { cost: 2 });
    expect([large.checkSync("key", { cost: 0 }).remaining, small.checkSync("key", { cost: 0 }).remaining]).toEqual([1000, 0]);
  });

  test("is one that is full again, before any other", () => {
    const clock = new ManualClock();
    const backend = new MemoryBackend({ maxKeys: 5, clock });
    const [quick, slow] = [new RateLimiter({ rate: 1000, period: 1, name: "quick", backend }), hourly(backend, 1000, "slow")];
    for (const key of keysOf(4)) slow.checkSync(key);
    quick.checkSync("key", { cost: 1000 });
    clock.advance(1000);
    slow.checkSync("new");
    expect(keysOf(4).map((key) => slow.checkSync(key, { cost: 0 }).remaining)).toEqual([999, 999, 999, 999]);
  });
});

describe("a key that is blocked stays blocked", () => {
  test.each([16, 50, 200])("while a table of %d is sprayed with 100 times as many others", (maxKeys) => {
    const backend = new MemoryBackend({ maxKeys, clock: new ManualClock() });
    const limiter = hourly(backend, 10);
    limiter.checkSync("attacker", { cost: 10 });
    for (const key of keysOf(100 * maxKeys)) {
      limiter.checkSync(key);
      expect(limiter.checkSync("attacker").allowed).toBe(false);
    }
  });

  test("even if 200 of them in a row exceed any sample", () => {
    const backend = new MemoryBackend({ maxKeys: 1000, clock: new ManualClock() });
    const limiter = hourly(backend, 10);
    for (const key of keysOf(400, "before")) limiter.checkSync(key);
    for (const key of keysOf(200, "blocked")) limiter.checkSync(key, { cost: 10 });
    for (const key of keysOf(20_000, "spray")) limiter.checkSync(key);
    expect(keysOf(200, "blocked").filter((key) => limiter.checkSync(key).allowed)).toEqual([]);
  });

  test("even while another limiter is sprayed", () => {
    const backend = new MemoryBackend({ maxKeys: 100, clock: new ManualClock() });
    const [guarded, other] = [hourly(backend, 5, "guarded"), hourly(backend, 50, "other")];
    for (const key of keysOf(30, "blocked")) guarded.checkSync(key, { cost: 5 });
    for (const key of keysOf(10_000)) other.checkSync(key);
    expect(keysOf(30, "blocked").filter((key) => guarded.checkSync(key).allowed)).toEqual([]);
  });

  test("even if it is in debt or under several limits", async () => {
    const backend = new MemoryBackend({ maxKeys: 50, clock: new ManualClock() });
    const limiter = new RateLimiter({
      limits: [
        { name: "a", rate: 10, period: "1h" },
        { name: "b", rate: 100, period: "1d" },
      ],
      backend,
    });
    await limiter.charge("debtor", 20);
    limiter.checkSync("blocked", { cost: 10 });
    for (const key of keysOf(5000)) limiter.checkSync(key);
    expect([limiter.checkSync("debtor").allowed, limiter.checkSync("blocked").allowed]).toEqual([false, false]);
  });

  test("until as many other keys as the table holds are equally used up, which takes maxKeys times the burst in tokens", () => {
    const clock = new ManualClock();
    const backend = new MemoryBackend({ maxKeys: 200, clock });
    const limiter = hourly(backend, 10);
    limiter.checkSync("blocked", { cost: 10 });
    clock.advance(1000);
    for (const key of keysOf(199)) limiter.checkSync(key, { cost: 10 });
    expect(limiter.checkSync("blocked").allowed).toBe(false);
    for (const key of keysOf(200, "more")) limiter.checkSync(key, { cost: 10 });
    expect(limiter.checkSync("blocked").allowed).toBe(true);
  });

  test("unless all are blocked, in which case the one closest to its next token is evicted", () => {
    const clock = new ManualClock();
    const backend = new MemoryBackend({ maxKeys: 10, clock });
    const limiter = hourly(backend, 1);
    for (const key of keysOf(11)) {
      limiter.checkSync(key);
      clock.advance(1000);
    }
    expect(backend.stats).toEqual({ keys: 10, evictions: 1 });
    expect(keysOf(11).filter((key) => limiter.checkSync(key, { cost: 0 }).remaining > 0)).toEqual(["key-0"]);
  });
});
