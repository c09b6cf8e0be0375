import { definePolicy, type Limit } from "@ratelimit/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  adjusted,
  debtCeiling,
  fits,
  msUntilFull,
  remainingOf,
  retryMsOf,
  slackUnits,
  unchargedOf,
  usedOf,
} from "../../src/policy/token-bucket.ts";
import { always } from "../support/property.ts";

function limitOf(rate: number, periodMs: number, burst: number): Limit {
  return definePolicy({ rate, period: `${periodMs}ms`, burst }).limits[0];
}

/** A token is 600 units, and one unit drains per millisecond. */
const perMinute = limitOf(100, 60_000, 150);
/** A token is 1000 units, and seven units drain per millisecond. */
const perSecond = limitOf(7, 1000, 7);

describe("usage, remaining tokens and waiting times", () => {
  test.each([
    // limit, used, cost: fits, remaining, retryMs, aheadMs, slack
    { limit: perMinute, used: 0, cost: 1, fits: true, remaining: 150, retryMs: 0, ahead: 0, slack: 0 },
    { limit: perMinute, used: 600, cost: 149, fits: true, remaining: 149, retryMs: 0, ahead: 600, slack: 0 },
    { limit: perMinute, used: 600, cost: 150, fits: false, remaining: 149, retryMs: 600, ahead: 600, slack: 0 },
    { limit: perMinute, used: 601, cost: 149, fits: false, remaining: 148, retryMs: 1, ahead: 601, slack: 0 },
    { limit: perMinute, used: 90_000, cost: 0, fits: true, remaining: 0, retryMs: 0, ahead: 90_000, slack: 0 },
    { limit: perMinute, used: 90_001, cost: 0, fits: false, remaining: 0, retryMs: 1, ahead: 90_001, slack: 0 },
    { limit: perMinute, used: 180_000, cost: 1, fits: false, remaining: 0, retryMs: 90_600, ahead: 180_000, slack: 0 },
    { limit: perMinute, used: 0, cost: 151, fits: false, remaining: 150, retryMs: Number.POSITIVE_INFINITY, ahead: 0, slack: 0 },
    { limit: perMinute, used: 0, cost: 2 ** 53 - 1, fits: false, remaining: 150, retryMs: Number.POSITIVE_INFINITY, ahead: 0, slack: 0 },
    { limit: perSecond, used: 1000, cost: 6, fits: true, remaining: 6, retryMs: 0, ahead: 143, slack: 1 },
    { limit: perSecond, used: 7000, cost: 1, fits: false, remaining: 0, retryMs: 143, ahead: 1000, slack: 0 },
    { limit: perSecond, used: 7000, cost: 7, fits: false, remaining: 0, retryMs: 1000, ahead: 1000, slack: 0 },
  ])("$used of $limit.capacityUnits units in use, and a cost of $cost", ({ limit, used, cost, ...figures }) => {
    expect({
      fits: fits(limit, used, cost),
      remaining: remainingOf(limit, used),
      retryMs: retryMsOf(limit, used, cost),
      ahead: msUntilFull(limit, used),
      slack: slackUnits(limit, used),
    }).toEqual(figures);
  });
});

describe("refunds and charges", () => {
  test.each([
    { used: 0, tokens: -1, after: 0, uncharged: 0 },
    { used: 600, tokens: -1, after: 0, uncharged: 0 },
    { used: 700, tokens: -1, after: 100, uncharged: 0 },
    { used: 0, tokens: 150, after: 90_000, uncharged: 0 },
    { used: 0, tokens: 300, after: 180_000, uncharged: 0 },
    { used: 0, tokens: 301, after: 180_000, uncharged: 1 },
    { used: 1, tokens: 300, after: 180_000, uncharged: 1 },
    { used: 180_000, tokens: 5, after: 180_000, uncharged: 5 },
    { used: 0, tokens: 2 ** 53 - 1, after: 180_000, uncharged: 2 ** 53 - 1 - 300 },
    { used: 180_000, tokens: -(2 ** 53 - 1), after: 0, uncharged: 0 },
  ])("$tokens tokens with $used units in use", ({ used, tokens, after, uncharged }) => {
    expect({ after: adjusted(perMinute, used, tokens), uncharged: unchargedOf(perMinute, used, tokens) }).toEqual({ after, uncharged });
  });
});

test.each([
  { ahead: 143, slack: 1, used: 1000 },
  { ahead: 143, slack: 0, used: 1001 },
  { ahead: 143, slack: 6, used: 995 },
  { ahead: 143, slack: 7, used: 1001 },
  { ahead: 143, slack: 1000, used: 1001 },
  { ahead: 0, slack: 1, used: 0 },
  { ahead: -5, slack: 1, used: 0 },
])("$ahead ms until full, minus a slack of $slack units, means $used units in use", ({ ahead, slack, used }) => {
  expect(usedOf(perSecond, ahead, slack)).toBe(used);
});

/** Generates a limit, a possible usage of it and a number of tokens. */
const cases = fc
  .record({
    rate: fc.oneof(fc.integer({ min: 1, max: 100 }), fc.constantFrom(700_000, 1_000_000, 2 ** 30)),
    periodMs: fc.oneof(fc.integer({ min: 1, max: 5000 }), fc.constantFrom(60_000, 86_400_000)),
    more: fc.nat(1000),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
    tokens: fc.oneof(fc.nat(2000), fc.maxSafeNat()),
  })
  .map(({ rate, periodMs, more, share, tokens }) => {
    const limit = limitOf(rate, periodMs, Math.ceil(rate / periodMs) + more);
    return { limit, used: Math.floor(debtCeiling(limit) * share), tokens };
  });

/** Converts tokens to fractions with the period as the denominator, so that `rate` parts flow in per millisecond. */
function exact(
  { rate, periodMs, burst, unitsPerToken: p }: Limit,
  used: number,
  tokens: number,
): Record<"rate" | "period" | "full" | "used" | "cost", bigint> {
  const period = BigInt(periodMs);
  return {
    rate: BigInt(rate),
    period,
    full: BigInt(burst) * period,
    used: (BigInt(used) * period) / BigInt(p),
    cost: BigInt(tokens) * period,
  };
}

function ceil(a: bigint, b: bigint): bigint {
  return a <= 0n ? 0n : (a + b - 1n) / b;
}

describe("compared with BigInt fractions", () => {
  test("fits, remaining, retryMs and msUntilFull are exact", () =>
    always(cases, ({ limit, used, tokens }) => {
      const { rate, period, full, used: taken, cost } = exact(limit, used, tokens);
      expect(fits(limit, used, tokens)).toBe(taken + cost <= full);
      expect(BigInt(remainingOf(limit, used))).toBe(taken > full ? 0n : (full - taken) / period);
      expect(BigInt(msUntilFull(limit, used))).toBe(ceil(taken, rate));
      if (cost > full) expect(retryMsOf(limit, used, tokens)).toBe(Number.POSITIVE_INFINITY);
      else expect(BigInt(retryMsOf(limit, used, tokens))).toBe(ceil(taken + cost - full, rate));
    }));

  test("refunds, charges and uncharged tokens are exact", () =>
    always(cases, ({ limit, used, tokens }) => {
      const { period, full, used: taken, cost } = exact(limit, used, tokens);
      const unit = period / BigInt(limit.unitsPerToken);
      const [refunded, charged] = [taken - cost, taken + cost];
      expect(BigInt(adjusted(limit, used, -tokens)) * unit).toBe(refunded < 0n ? 0n : refunded);
      expect(BigInt(adjusted(limit, used, tokens)) * unit).toBe(charged > 2n * full ? 2n * full : charged);
      expect(BigInt(unchargedOf(limit, used, tokens))).toBe(ceil(charged - 2n * full, period));
    }));

  test("stored usage is read back unchanged", () =>
    always(cases, ({ limit, used }) => {
      const slack = slackUnits(limit, used);
      expect(usedOf(limit, msUntilFull(limit, used), slack)).toBe(used);
      expect(slack >= 0 && slack < limit.unitsPerMs).toBe(true);
    }));
});
