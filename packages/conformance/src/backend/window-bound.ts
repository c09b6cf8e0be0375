import assert from "node:assert/strict";
import fc from "fast-check";
import { anyLimits, capacityOf, policyOf } from "./arbitraries.ts";
import type { LimitSpec } from "./oracle.ts";
import { always } from "./property.ts";
import { type BackendRequirement, type Fixture, requirement } from "./requirement.ts";

/** An admitted call: the clock readings before and after it, and its cost in tokens. */
interface Admitted {
  readonly from: number;
  readonly to: number;
  readonly cost: number;
}

/** Pauses in twentieths of the time an empty bucket takes to fill, plus 0 to 2 ms; costs in fifths of its capacity, plus 0 to 2 tokens. */
const attempts = fc.array(
  fc.record({ twentieths: fc.oneof(fc.constant(0), fc.nat(4), fc.constant(25)), ms: fc.nat(2), fifths: fc.nat(4), tokens: fc.nat(2) }),
  { maxLength: 60 },
);

export const windowBound: BackendRequirement = requirement(
  "any window of length T admits at most burst + rate * T / period tokens",
  "manual clock",
  (fixture) =>
    always(
      fixture,
      fc.tuple(anyLimits, attempts),
      async ([limits, attempts]) => {
        const fillMs = Math.max(...limits.map(({ rate, periodMs, burst }) => (burst * periodMs) / rate));
        const paced = attempts.map(({ twentieths, ms, fifths, tokens }) => ({
          pause: Math.ceil((fillMs * twentieths) / 20) + ms,
          cost: Math.floor((capacityOf(limits) * fifths) / 5) + tokens,
        }));
        assertBound(limits, await admittedOf(fixture, limits, paced), 0n);
      },
      100,
    ),
);

export const liveWindowBound: BackendRequirement = requirement(
  "the same bound holds for a caller that rarely pauses, measured on its own clock",
  "any",
  async (fixture) => {
    const limits: LimitSpec[] = [
      { name: "a", rate: 500, periodMs: 1000, burst: 5 },
      { name: "b", rate: 7, periodMs: 20, burst: 9 },
    ];
    const attempts = Array.from({ length: 400 }, (_, i) => ({ pause: i % 40 === 0 ? 1 : 0, cost: 1 + (i % 3) }));
    // The backend's clock counts whole milliseconds, so a window may be 1 ms longer than the caller measures.
    assertBound(limits, await admittedOf(fixture, limits, attempts), fixture.isManual ? 0n : 1n);
  },
);

async function admittedOf(
  fixture: Fixture,
  limits: readonly LimitSpec[],
  attempts: readonly { pause: number; cost: number }[],
): Promise<Admitted[]> {
  const limiter = fixture.limiter(policyOf(limits));
  const admitted: Admitted[] = [];
  for (const { pause, cost } of attempts) {
    if (pause > 0) await fixture.pass(pause);
    const from = Math.floor(fixture.now());
    const { allowed } = await limiter.check("key", { cost });
    if (allowed) admitted.push({ from, to: Math.ceil(fixture.now()), cost });
  }
  return admitted;
}

function assertBound(limits: readonly LimitSpec[], admitted: readonly Admitted[], grainMs: bigint): void {
  for (const [i, first] of admitted.entries()) {
    let tokens = 0n;
    for (const { to, cost } of admitted.slice(i)) {
      tokens += BigInt(cost);
      const windowMs = BigInt(to - first.from) + grainMs;
      for (const { name, rate, periodMs, burst } of limits)
        assert.ok(
          tokens * BigInt(periodMs) <= BigInt(burst) * BigInt(periodMs) + BigInt(rate) * windowMs,
          `limit ${name} (${rate} per ${periodMs} ms, burst ${burst}) admitted ${tokens} in ${windowMs} ms`,
        );
    }
  }
}
