import { MemoryBackend } from "@ratelimit/backend-memory";
import { ManualClock, RateLimiter } from "@ratelimit/core";
import { definePolicy } from "@ratelimit/core/backend";
import { randomOf } from "@ratelimit/testbed/random";
import { describe, expect, test } from "vitest";
import { fullLevel, type Level, remainingAt, retryMsAt, sizeOf, tokensAt } from "../../page/bucket.ts";

const policies = [
  { rate: 10, period: "10s", burst: 10 },
  { rate: 100, period: "60s", burst: 150 },
  { rate: 7, period: "3s", burst: 4 },
  { rate: 3000, period: "1s", burst: 40 },
  { rate: 1, period: "1h", burst: 1 },
];

describe.for(policies)("a bucket of $burst at $rate per $period", (options) => {
  const [limit] = definePolicy(options).limits;

  test("shows between two answers what a limiter would answer", () => {
    const clock = new ManualClock(1000);
    const limiter = new RateLimiter({ ...options, backend: new MemoryBackend({ clock }) });
    const next = randomOf(7);
    const between = (most: number): number => Math.floor(next() * (most + 1));
    for (let i = 0; i < 300; i++) {
      const answer = limiter.checkSync("key", { cost: 1 + between(Math.min(3, limit.burst - 1)) });
      const level: Level = { ...fullLevel(limit, clock.now()), used: answer.limits[0]!.used };
      clock.advance(between(Math.ceil((2 * limit.periodMs) / limit.rate)));
      const now = limiter.checkSync("key", { cost: 0 });
      expect(remainingAt(level, clock.now())).toBe(now.remaining);
      expect(Math.floor(tokensAt(level, clock.now()) + 1e-9)).toBe(now.remaining);
      const wait = retryMsAt(level, 1, clock.now());
      expect(wait === 0).toBe(now.remaining > 0);
      // The millisecond at which the page says that a request is admitted is the first at which one is.
      if (wait === 0) continue;
      clock.advance(wait - 1);
      expect(limiter.checkSync("key").allowed).toBe(false);
      clock.advance(1);
      expect(retryMsAt(level, 1, clock.now())).toBe(0);
      expect(limiter.checkSync("key").allowed).toBe(true);
    }
  });

  test("drains at its rate, without steps", () => {
    const level = { ...fullLevel(limit, 0), used: limit.capacityUnits };
    const token = limit.periodMs / limit.rate;
    for (const share of [0, 0.25, 0.5, 1]) expect(tokensAt(level, share * token)).toBeCloseTo(Math.min(limit.burst, share), 9);
    expect(tokensAt(level, 1000 * limit.burst * token)).toBe(limit.burst);
  });
});

test("a cost above the burst is never admitted", () => {
  const [limit] = definePolicy(policies[0]!).limits;
  expect(retryMsAt(fullLevel(limit, 0), 11, 0)).toBe(Number.POSITIVE_INFINITY);
});

test("a blocked client has no tokens, and waits for the end of the block", () => {
  const [limit] = definePolicy(policies[0]!).limits;
  const level = { ...fullLevel(limit, 0), blockedUntil: 5000 };
  expect([remainingAt(level, 4999), retryMsAt(level, 1, 1000)]).toEqual([0, 4000]);
  expect([remainingAt(level, 5000), retryMsAt(level, 1, 5000)]).toEqual([10, 0]);
});

test("while Redis is out, each process has its share", () => {
  const [limit] = definePolicy(policies[0]!).limits;
  const level = { ...fullLevel(limit, 0), instances: 2 };
  expect([sizeOf(level), remainingAt(level, 0), tokensAt(level, 0)]).toEqual([5, 5, 5]);
  const empty = { ...level, used: limit.capacityUnits };
  // A request takes the tokens of both processes, so the wait for one token is twice as long.
  expect(retryMsAt(empty, 1, 0)).toBe(2000);
  expect(retryMsAt(empty, 10, 0)).toBe(10_000);
});
