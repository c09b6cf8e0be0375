import assert from "node:assert/strict";
import { definePolicy } from "@ratelimit/core";
import { type KeyScope, retryMsOf } from "@ratelimit/core/backend";
import fc from "fast-check";
import { anyLimits, policyOf } from "./arbitraries.ts";
import type { LimitSpec } from "./oracle.ts";
import { always } from "./property.ts";
import { type BackendRequirement, type Fixture, requirement, unusedName } from "./requirement.ts";

/** Policies that take turns on one key, like the old and new processes of a rolling deploy. */
const trace = fc.record({
  policies: fc.array(anyLimits, { minLength: 2, maxLength: 3 }),
  steps: fc.array(fc.record({ by: fc.nat(2), quarters: fc.nat(5), ms: fc.oneof(fc.constant(0), fc.nat(20), fc.nat(3000)) }), {
    minLength: 1,
    maxLength: 60,
  }),
});

interface Admission {
  readonly at: number;
  readonly tokens: number;
}

export const takingTurns: BackendRequirement = requirement(
  "when several policies take turns on one key, each keeps its own bound in every window",
  "manual clock",
  (fixture) =>
    always(
      fixture,
      trace,
      async ({ policies, steps }) => {
        const scopes = scopesOf(policies);
        const admitted = new Map<string, { limit: LimitSpec; admissions: Admission[] }>();
        for (const { by, quarters, ms } of steps) {
          await fixture.pass(ms);
          const limits = policies[by % policies.length] as LimitSpec[];
          const cost = Math.ceil((quarters * Math.min(...limits.map(({ burst }) => burst))) / 4);
          const { allowed } = await fixture.backend.take(scopes[by % policies.length] as KeyScope, "key", cost);
          if (!allowed || cost === 0) continue;
          // Limits with equal numbers are the same limit.
          for (const admissions of new Set(limits.map((limit) => admissionsOf(admitted, limit))))
            admissions.push({ at: fixture.now(), tokens: cost });
        }
        for (const { limit, admissions } of admitted.values()) withinBound(limit, admissions);
      },
      150,
    ),
);

/** Limits that fill within a day, because another policy's entry is kept for only a day after it has drained. */
function fast(limits: readonly LimitSpec[]): LimitSpec[] {
  const some = limits.filter(({ rate, periodMs, burst }) => (burst * periodMs) / rate < 86_400_000).slice(0, 2);
  return some.length > 0 ? some : [{ name: "fast", rate: 3, periodMs: 1000, burst: 5 }];
}

/** Stays in debt throughout the test, so that the key never expires. The entries of all policies fit beside this one. */
const anchor: LimitSpec = { name: "anchor", rate: 1, periodMs: 30 * 86_400_000, burst: 1000 };

export const turnsComeTrue: BackendRequirement = requirement(
  "a retryAfter stays exact while other policies take turns on the key",
  "manual clock",
  (fixture) =>
    always(
      fixture,
      trace,
      async ({ policies, steps }) => {
        const [anchored, ...scopes] = scopesOf([[anchor], ...policies.map(fast)]) as [KeyScope, ...KeyScope[]];
        await check(fixture, anchored, 1000);
        for (const { by, quarters, ms } of steps) {
          await fixture.pass(ms);
          const scope = scopes[by % policies.length] as KeyScope;
          const cost = Math.max(1, Math.ceil((quarters * Math.min(...scope.policy.limits.map(({ burst }) => burst))) / 4));
          const retryMs = await check(fixture, scope, cost);
          if (retryMs === 0 || retryMs === Number.POSITIVE_INFINITY) continue;
          await fixture.pass(retryMs);
          for (const other of scopes.filter((candidate) => sharesNoLimit(candidate, scope))) await check(fixture, other, 1);
          assert.equal(await check(fixture, scope, cost), 0, `refused ${retryMs} ms later, although retryAfter allowed a retry`);
        }
      },
      150,
    ),
);

/** Returns one scope per policy, all on the same buckets. */
function scopesOf(policies: readonly LimitSpec[][]): KeyScope[] {
  const prefix = `ratelimit:${unusedName()}:`;
  return policies.map((limits) => ({ prefix, policy: definePolicy(policyOf(limits)) }));
}

/** Takes `cost`, and returns the milliseconds until it would be admitted: 0 if it was. */
async function check(fixture: Fixture, scope: KeyScope, cost: number): Promise<number> {
  const { allowed, used } = await fixture.backend.take(scope, "key", cost);
  const units = [used].flat();
  return allowed ? 0 : Math.max(...scope.policy.limits.map((limit, i) => retryMsOf(limit, units[i] as number, cost)));
}

function sharesNoLimit({ policy: { limits } }: KeyScope, { policy }: KeyScope): boolean {
  return !limits.some(({ fingerprint }) => policy.limits.some((own) => own.fingerprint === fingerprint));
}

function admissionsOf(admitted: Map<string, { limit: LimitSpec; admissions: Admission[] }>, limit: LimitSpec): Admission[] {
  const { rate, periodMs, burst } = limit;
  const known = admitted.get(`${rate}/${periodMs}/${burst}`) ?? { limit, admissions: [] };
  admitted.set(`${rate}/${periodMs}/${burst}`, known);
  return known.admissions;
}

function withinBound({ rate, periodMs, burst }: LimitSpec, admissions: readonly Admission[]): void {
  for (const [i, { at: from }] of admissions.entries()) {
    let tokens = 0n;
    for (const { at, tokens: more } of admissions.slice(i)) {
      tokens += BigInt(more);
      const bound = BigInt(burst) * BigInt(periodMs) + BigInt(rate) * BigInt(at - from);
      assert.ok(tokens * BigInt(periodMs) <= bound, `${tokens} tokens in ${at - from} ms at ${rate} per ${periodMs} ms, burst ${burst}`);
    }
  }
}
