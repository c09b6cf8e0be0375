import { MemoryBackend } from "@ratelimit/backend-memory";
import { ManualClock, RateLimiter } from "@ratelimit/core";
import { describe, expect, test } from "vitest";

describe("a clock that steps back to before its start", () => {
  test.each([0, 5, 1e12, -1e12, 0.5])("still fills buckets after starting at %d", (start) => {
    const clock = new ManualClock(start);
    const backend = new MemoryBackend({ clock });
    const limiter = new RateLimiter({ rate: 7, period: 1, burst: 7, backend });
    clock.advance(-10_000);
    expect(limiter.checkSync("new", { cost: 7 })).toMatchObject({ allowed: true, resetAfter: 1 });
    expect(limiter.checkSync("new")).toMatchObject({ allowed: false, retryAfter: 0.143 });
    clock.advance(143);
    expect(limiter.checkSync("new").allowed).toBe(true);
    clock.advance(10_000);
    expect(limiter.checkSync("new", { cost: 0 })).toMatchObject({ remaining: 7, resetAfter: 0 });
  });

  test("does not lose a bucket that will be full at exactly 0 ms", () => {
    const clock = new ManualClock();
    const limiter = new RateLimiter({ rate: 1, period: 1, burst: 5, backend: new MemoryBackend({ clock }) });
    clock.advance(-1000);
    limiter.checkSync("key");
    expect(limiter.checkSync("key", { cost: 0 })).toMatchObject({ remaining: 4, resetAfter: 1 });
    clock.advance(999);
    expect(limiter.checkSync("key", { cost: 0 })).toMatchObject({ remaining: 4, resetAfter: 0.001 });
  });
});

test("fractions of a millisecond are truncated, so that nothing is admitted early", () => {
  const clock = new ManualClock(0.9);
  const limiter = new RateLimiter({ rate: 1000, period: 1, burst: 1, backend: new MemoryBackend({ clock }) });
  const admitted = [0, 0.9, 0.05, 0.05, 0.9, 0.1].map((ms) => {
    clock.advance(ms);
    return limiter.checkSync("key").allowed;
  });
  expect(admitted).toEqual([true, false, false, true, false, true]);
});

test("a clock with large readings stays exact", () => {
  const clock = new ManualClock(2 ** 52);
  const limiter = new RateLimiter({ rate: 2 ** 30, period: 1, burst: 2 ** 31, backend: new MemoryBackend({ clock }) });
  expect(limiter.checkSync("key", { cost: 2 ** 31 })).toMatchObject({ allowed: true, resetAfter: 2 });
  clock.advance(1);
  expect(limiter.checkSync("key", { cost: 0 }).remaining).toBe(1_073_741);
  clock.advance(999);
  expect(limiter.checkSync("key", { cost: 2 ** 30 }).allowed).toBe(true);
});

describe("a policy change while there are buckets", () => {
  test("applies to all of them and to evictions", async () => {
    const clock = new ManualClock();
    const backend = new MemoryBackend({ maxKeys: 3, clock });
    const limiter = new RateLimiter({ rate: 1, period: 1, burst: 10, backend });
    for (const [key, cost] of [
      ["a", 9],
      ["b", 5],
      ["c", 2],
    ] as const)
      limiter.checkSync(key, { cost });
    limiter.update({ rate: 1, period: 1, burst: 4 });
    expect(["a", "b", "c"].map((key) => limiter.checkSync(key, { cost: 0 }).remaining)).toEqual([0, 0, 2]);
    limiter.checkSync("d", { cost: 3 });
    expect((await limiter.peek("c")).remaining).toBe(4);
    expect(limiter.checkSync("a").retryAfter).toBe(1);
    clock.advance(1000);
    expect(limiter.checkSync("a").allowed).toBe(true);
  });

  test("from one limit to several and back keeps what was used", () => {
    const clock = new ManualClock();
    const backend = new MemoryBackend({ clock });
    const limiter = new RateLimiter({ rate: 7, period: 1, backend });
    limiter.checkSync("key", { cost: 3 });
    limiter.update({
      limits: [
        { name: "a", rate: 7, period: 1 },
        { name: "b", rate: 3, period: 1 },
      ],
    });
    expect(limiter.checkSync("key", { cost: 2 }).limits.map(({ remaining }) => remaining)).toEqual([2, 1]);
    limiter.update({ limits: [{ name: "b", rate: 3, period: 1 }] });
    expect(limiter.checkSync("key", { cost: 0 }).remaining).toBe(1);
    limiter.update({ limits: [{ name: "other", rate: 7, period: 1 }] });
    expect(limiter.checkSync("key", { cost: 0 }).remaining).toBe(2);
  });
});

test("a clock that reads NaN admits no key that has used anything", () => {
  let now = 0;
  const limiter = new RateLimiter({ rate: 2, period: 1, backend: new MemoryBackend({ clock: { now: () => now } }) });
  limiter.checkSync("key");
  now = Number.NaN;
  expect(limiter.checkSync("key").allowed).toBe(false);
});
