import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Scope } from "../src/backend.ts";
import { processClock } from "../src/clock.ts";
import { LocalShare } from "../src/local-share.ts";
import { definePolicy, type PolicyOptions } from "../src/policy.ts";
import { toResult } from "../src/result.ts";

/** Limits have no clock of their own: the process clock is what the share stands on, and here the test moves it. */
let now = 0;
beforeEach(() => {
  now = 0;
  vi.spyOn(processClock, "now").mockImplementation(() => now);
});
afterEach(() => {
  vi.restoreAllMocks();
});

function scopeOf(policy: PolicyOptions): Scope {
  return { prefix: "test:", policy: definePolicy(policy) };
}

/** Asks until it is refused. */
function admittedOf(share: LocalShare, scope: Scope, cost: number = 1): number {
  let admitted = 0;
  while (share.take(scope, "key", cost).allowed) admitted++;
  return admitted;
}

describe("a process gives its share", () => {
  test.each([
    [{ rate: 100, period: 60, burst: 100 }, 1, 100],
    [{ rate: 100, period: 60, burst: 100 }, 4, 25],
    [{ rate: 100, period: 60, burst: 10 }, 4, 2],
    [{ rate: 100, period: 60, burst: 2 }, 4, 1],
    [{ rate: 100, period: 60, burst: 1 }, 100, 1],
  ] as const)("of %j as one of %i: %i at once", (policy, instances, atOnce) => {
    expect(admittedOf(new LocalShare(instances, 10), scopeOf(policy))).toBe(atOnce);
  });

  test.each([
    [{ rate: 100, period: 1, burst: 100 }, 4, 25],
    [{ rate: 100, period: 1, burst: 1 }, 4, 25],
    [{ rate: 100, period: 1, burst: 1 }, 50, 2],
    [{ rate: 7, period: 1, burst: 7 }, 3, 7 / 3],
  ] as const)("of %j as one of %i: %f a second", (policy, instances, perSecond) => {
    const share = new LocalShare(instances, 10);
    const scope = scopeOf(policy);
    const atOnce = admittedOf(share, scope);
    let admitted = 0;
    for (now = 1; now <= 60_000; now++) admitted += share.take(scope, "key", 1).allowed ? 1 : 0;
    expect(admitted).toBeLessThanOrEqual(60 * perSecond + 1);
    expect(admitted).toBeGreaterThanOrEqual(60 * perSecond - atOnce - 1);
  });
});

test("in any window N processes admit no more than N * max(1, s * burst) + s * N * rate * T, with s = 1 / instances", () => {
  const limits = fc.record({ rate: fc.integer({ min: 1, max: 50 }), burst: fc.integer({ min: 1, max: 40 }) });
  const steps = fc.array(fc.record({ wait: fc.nat(300), process: fc.nat(4), cost: fc.integer({ min: 1, max: 3 }) }), { maxLength: 120 });
  fc.assert(
    fc.property(limits, fc.integer({ min: 1, max: 8 }), steps, ({ rate, burst }, instances, calls) => {
      now = 0;
      const scope = scopeOf({ rate, period: 1, burst });
      const shares = Array.from({ length: 5 }, () => new LocalShare(instances, 10));
      const admitted: { at: number; cost: number }[] = [];
      for (const { wait, process, cost } of calls) {
        now += wait;
        if (shares[process]?.take(scope, "key", cost).allowed) admitted.push({ at: now, cost });
      }
      // A call that costs more than the share still goes whole: it is the 1 of the formula, of its cost.
      const dearest = Math.max(1, ...admitted.map(({ cost }) => cost));
      const onset = shares.length * Math.max(dearest, burst / instances);
      for (const [from, first] of admitted.entries()) {
        let sum = 0;
        for (const { at, cost } of admitted.slice(from)) {
          sum += cost;
          expect(sum).toBeLessThanOrEqual(onset + (shares.length / instances) * rate * ((at - first.at) / 1000) + 1e-9);
        }
      }
    }),
  );
});

describe("a bucket begins where the backend was last seen", () => {
  const scope = scopeOf({ rate: 60, period: 60, burst: 60 });

  test("who was refused stays refused, until the time that the backend named", () => {
    const share = new LocalShare(1, 10);
    share.remember(scope, "key", { allowed: false, used: scope.policy.limits[0].full });
    now = 999;
    expect(share.take(scope, "key", 1).allowed).toBe(false);
    now = 1000;
    expect(share.take(scope, "key", 1).allowed).toBe(true);
  });

  test("who had half has half of the share", () => {
    const share = new LocalShare(3, 10);
    share.remember(scope, "key", { allowed: true, used: scope.policy.limits[0].full / 2 });
    expect(admittedOf(share, scope)).toBe(10);
  });

  test("and where it is seen again, that holds", () => {
    const share = new LocalShare(1, 10);
    admittedOf(share, scope);
    share.remember(scope, "key", { allowed: true, used: 0 });
    expect(admittedOf(share, scope)).toBe(60);
  });

  test("of several limits each", () => {
    const several = scopeOf({
      limits: [
        { name: "second", rate: 10, period: 1 },
        { name: "hour", rate: 100, period: "1h" },
      ],
    });
    const [second, hour] = several.policy.limits;
    const share = new LocalShare(1, 10);
    share.remember(several, "key", { allowed: true, used: [0, (hour?.full ?? 0) - 3 * (hour?.p ?? 0)] });
    expect(admittedOf(share, several)).toBe(3);
    expect(second.burst).toBe(10);
  });
});

describe("what it says is true", () => {
  test.each([
    [{ rate: 100, period: 60, burst: 100 }, 1, 1],
    [{ rate: 100, period: 60, burst: 100 }, 4, 1],
    [{ rate: 100, period: 60, burst: 100 }, 4, 7],
    [{ rate: 100, period: 60, burst: 2 }, 4, 1],
    [{ rate: 7, period: 1, burst: 3 }, 5, 2],
    [{ rate: 7001, period: 1, burst: 40 }, 3, 5],
    [{ rate: 1, period: 3600, burst: 1 }, 12, 1],
  ] as const)(
    "%j as one of %i at cost %i: `remaining` calls are admitted, then one at `retryAfter` and none 1 ms before",
    (policy, instances, cost) => {
      const share = new LocalShare(instances, 10);
      const scope = scopeOf(policy);
      for (let round = 0; round < 5; round++) {
        const looked = toResult(scope.policy, { ...share.take(scope, "key", 0), allowed: true }, 1);
        let refused = share.take(scope, "key", cost);
        let admitted = 0;
        for (; refused.allowed; refused = share.take(scope, "key", cost)) admitted++;
        if (cost === 1) expect(admitted).toBe(looked.remaining);
        const { retryAfter, remaining } = toResult(scope.policy, refused, cost);
        expect(remaining).toBeLessThan(cost);
        const due = now + Math.round(retryAfter * 1000);
        now = due - 1;
        expect(share.take(scope, "key", cost).allowed).toBe(false);
        now = due;
        expect(share.take(scope, "key", cost).allowed).toBe(true);
      }
    },
  );

  test("a cost above the burst is never admitted", () => {
    const share = new LocalShare(4, 10);
    const scope = scopeOf({ rate: 10, period: 1 });
    const take = share.take(scope, "key", 11);
    expect([take.allowed, toResult(scope.policy, take, 11).retryAfter]).toEqual([false, Number.POSITIVE_INFINITY]);
  });

  test("and that it was said here", () => {
    const scope = scopeOf({ rate: 10, period: 1 });
    const take = new LocalShare(4, 10).take(scope, "key", 1);
    expect(take).toEqual({ allowed: true, used: 4 * scope.policy.limits[0].p, source: "local", instances: 4 });
    expect(toResult(scope.policy, take, 1)).toMatchObject({ source: "local", degraded: true, remaining: 1 });
  });
});

test("charges and refunds count for all processes, beyond a debt of one burst", () => {
  const share = new LocalShare(4, 10);
  const scope = scopeOf({ rate: 10, period: 1 });
  const { p } = scope.policy.limits[0];
  expect(share.adjust(scope, "key", 10).used).toBe(40 * p);
  expect(share.adjust(scope, "key", -5).used).toBe(20 * p);
  expect(share.adjust(scope, "key", -500).used).toBe(0);
  expect(Number.isSafeInteger(share.adjust(scope, "key", Number.MAX_SAFE_INTEGER).used)).toBe(true);
});

test("no more buckets than it was told", () => {
  const share = new LocalShare(1, 100);
  const scope = scopeOf({ rate: 10, period: 60 });
  admittedOf(share, scope);
  for (let i = 0; i < 10_000; i++) share.take(scope, `sprayed ${i}`, 1);
  expect(share.take(scope, "key", 1).allowed).toBe(false);
});
