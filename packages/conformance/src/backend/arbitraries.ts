/** Policies that the requirements are tested with. */
import type { PolicyOptions } from "@ratelimit/core";
import fc from "fast-check";
import type { LimitSpec } from "./oracle.ts";

const names = ["a", "b", "c", "d"] as const;

type Unnamed = Omit<LimitSpec, "name">;

/** Limits that expose mistakes: several units drain per millisecond, rate and period share no factor, or the numbers are large. */
const remarkable: readonly Unnamed[] = [
  { rate: 7, periodMs: 1000, burst: 7 },
  { rate: 3, periodMs: 1000, burst: 1 },
  { rate: 100, periodMs: 60_000, burst: 150 },
  { rate: 1, periodMs: 30 * 86_400_000, burst: 3 },
  { rate: 7001, periodMs: 1000, burst: 40 },
  { rate: 700_000, periodMs: 1000, burst: 700 },
  { rate: 1_000_000, periodMs: 1000, burst: 1_000_000 },
  { rate: 2 ** 30, periodMs: 1000, burst: 2 ** 31 },
  { rate: 26_000_003, periodMs: 86_400_000, burst: 26_000_003 },
];

/** Rates of up to 60 tokens per millisecond. */
const random: fc.Arbitrary<Unnamed> = fc
  .record({ rate: fc.integer({ min: 1, max: 60 }), periodMs: fc.integer({ min: 1, max: 900 }), more: fc.nat(30) })
  .map(({ rate, periodMs, more }) => ({ rate, periodMs, burst: Math.ceil(rate / periodMs) + more }));

/** One to three limits of any speed. Their names come from a pool of four, so different policies often share some. */
export const anyLimits: fc.Arbitrary<LimitSpec[]> = fc
  .uniqueArray(fc.constantFrom(...names), { minLength: 1, maxLength: 3 })
  .chain((chosen) =>
    fc.tuple(...chosen.map((name) => fc.oneof(random, fc.constantFrom(...remarkable)).map((limit): LimitSpec => ({ name, ...limit })))),
  );

/** One to three limits so slow that no token flows in during a test, even on a live clock. */
export const slowLimits: fc.Arbitrary<LimitSpec[]> = fc
  .array(fc.record({ rate: fc.integer({ min: 1, max: 50 }), burst: fc.integer({ min: 1, max: 20 }) }), { minLength: 1, maxLength: 3 })
  .map((limits) => limits.map((limit, i) => ({ name: names[i] as string, periodMs: 86_400_000, ...limit })));

/** One limit of `burst` tokens that refills one per day. */
export function slow(burst: number): PolicyOptions {
  return { rate: 1, period: "1d", burst };
}

/** Two slow limits: the first refills a token in one day, the second in two. */
export const severalSlow: PolicyOptions = {
  limits: [
    { name: "a", rate: 1, period: "1d", burst: 2 },
    { name: "b", rate: 1, period: "2d", burst: 3 },
  ],
};

/** Policy options for these limits. */
export function policyOf(limits: readonly LimitSpec[]): PolicyOptions {
  const [first, ...rest] = limits.map(({ name, rate, periodMs, burst }) => ({ name, rate, period: `${periodMs}ms` as const, burst }));
  return { limits: [first!, ...rest] };
}

/** The highest cost that all limits of a policy can admit at once. */
export function capacityOf(limits: readonly LimitSpec[]): number {
  return Math.min(...limits.map(({ burst }) => burst));
}
