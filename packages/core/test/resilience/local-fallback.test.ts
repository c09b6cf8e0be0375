import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { BackendReply, KeyScope } from "../../src/backend/backend.ts";
import { processClock } from "../../src/clock.ts";
import { toResult } from "../../src/decision/result.ts";
import { definePolicy, type PolicyOptions } from "../../src/policy/policy.ts";
import { LastSeen } from "../../src/resilience/last-seen.ts";
import { LocalFallback } from "../../src/resilience/local-fallback.ts";
import { always } from "../support/property.ts";

/** Limits have no clock of their own. The fallback uses the process clock, which this test moves. */
let now = 0;
beforeEach(() => {
  now = 0;
  vi.spyOn(processClock, "now").mockImplementation(() => now);
});
afterEach(() => {
  vi.restoreAllMocks();
});

function scopeOf(policy: PolicyOptions): KeyScope {
  return { prefix: "test:", policy: definePolicy(policy) };
}

/** What each fallback last saw of the backend. */
const seenBy = new WeakMap<LocalFallback, LastSeen>();

function fallbackOf(instances: number, maxKeys: number = 10): LocalFallback {
  const seen = new LastSeen(maxKeys, { states: true, refusals: false });
  const fallback = new LocalFallback(instances, seen);
  seenBy.set(fallback, seen);
  return fallback;
}

/** Records an answer from the backend. */
function answered(fallback: LocalFallback, scope: KeyScope, take: BackendReply): void {
  const seen = seenBy.get(fallback) as LastSeen;
  const ticket = seen.enter(scope, "key");
  seen.took(ticket, scope, "key", 1, take, now);
  seen.leave(ticket);
}

/** Counts the calls admitted before the first refusal. */
function admittedOf(fallback: LocalFallback, scope: KeyScope, cost: number = 1): number {
  let admitted = 0;
  while (fallback.take(scope, "key", cost).allowed) admitted++;
  return admitted;
}

describe("a process admits its portion", () => {
  test.each([
    [{ rate: 100, period: 60, burst: 100 }, 1, 100],
    [{ rate: 100, period: 60, burst: 100 }, 4, 25],
    [{ rate: 100, period: 60, burst: 10 }, 4, 2],
    [{ rate: 100, period: 60, burst: 2 }, 4, 1],
    [{ rate: 100, period: 60, burst: 1 }, 100, 1],
  ] as const)("of %j as one of %i processes: %i at once", (policy, instances, atOnce) => {
    expect(admittedOf(fallbackOf(instances), scopeOf(policy))).toBe(atOnce);
  });

  test.each([
    [{ rate: 100, period: 1, burst: 100 }, 4, 25],
    [{ rate: 100, period: 1, burst: 1 }, 4, 25],
    [{ rate: 100, period: 1, burst: 1 }, 50, 2],
    [{ rate: 7, period: 1, burst: 7 }, 3, 7 / 3],
  ] as const)("of %j as one of %i processes: %f per second", (policy, instances, perSecond) => {
    const fallback = fallbackOf(instances);
    const scope = scopeOf(policy);
    const atOnce = admittedOf(fallback, scope);
    let admitted = 0;
    for (now = 1; now <= 60_000; now++) admitted += fallback.take(scope, "key", 1).allowed ? 1 : 0;
    expect(admitted).toBeLessThanOrEqual(60 * perSecond + 1);
    expect(admitted).toBeGreaterThanOrEqual(60 * perSecond - atOnce - 1);
  });
});

describe("in any window of T seconds N processes with `instances` of N admit at most N * max(c, burst / N) + rate * T tokens", () => {
  interface Step {
    readonly wait: number;
    readonly process: number;
    /** The cost as a percentage of the burst, so that every policy sees small and large costs. */
    readonly cost: number;
    /** Occasionally replaces the call with another kind. */
    readonly instead: "charge" | "peek" | undefined;
  }
  const steps: fc.Arbitrary<Step[]> = fc.array(
    fc.record({
      wait: fc.oneof(fc.nat(3), fc.nat(400)),
      process: fc.nat(7),
      cost: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 100 }), fc.constant(100)),
      instead: fc.constantFrom(...([undefined, undefined, undefined, undefined, "charge", "peek"] as const)),
    }),
    { minLength: 10, maxLength: 150, size: "max" },
  );
  const limits = fc.record({ rate: fc.integer({ min: 1, max: 60 }), burst: fc.integer({ min: 1, max: 60 }) });

  /** Checks every window that begins and ends with an admission against the bound. */
  function holds(admitted: readonly { at: number; cost: number }[], processes: number, rate: number, burst: number): void {
    const largest = Math.max(1, ...admitted.map(({ cost }) => cost));
    const onset = processes * Math.max(largest, burst / processes);
    let excess = 0;
    for (const [from, first] of admitted.entries()) {
      let sum = 0;
      for (const { at, cost } of admitted.slice(from)) {
        sum += cost;
        excess = Math.max(excess, sum - onset - (rate * (at - first.at)) / 1000);
      }
    }
    expect(excess).toBeLessThan(1e-9);
  }

  test.each([
    ["for any mix of costs, charges and peeks", (cost: number, burst: number) => Math.max(1, Math.round((cost * burst) / 100))],
    ["for costs of the whole burst", (_: number, burst: number) => burst],
    ["for costs of 1", () => 1],
  ])("%s", (_, costOf) => {
    always(fc.tuple(limits, fc.integer({ min: 1, max: 8 }), steps), ([{ rate, burst }, processes, calls]) => {
      now = 0;
      const scope = scopeOf({ rate, period: 1, burst });
      const fallbacks = Array.from({ length: processes }, () => fallbackOf(processes));
      const admitted: { at: number; cost: number }[] = [];
      for (const call of calls) {
        now += call.wait;
        const [fallback, cost] = [fallbacks[call.process % processes] as LocalFallback, costOf(call.cost, burst)];
        if (call.instead === "charge") fallback.adjust(scope, "key", cost);
        else if (fallback.take(scope, "key", call.instead === "peek" ? 0 : cost).allowed && call.instead === undefined)
          admitted.push({ at: now, cost });
      }
      holds(admitted, processes, rate, burst);
    });
  });

  test("and the bound is reached, by calls of the whole burst and by smaller ones", () => {
    const scope = scopeOf({ rate: 100, period: "1h" });
    for (const [cost, calls] of [
      [100, 1],
      [25, 1],
      [5, 5],
    ] as const) {
      const fallbacks = Array.from({ length: 4 }, () => fallbackOf(4));
      expect(fallbacks.map((fallback) => admittedOf(fallback, scope, cost))).toEqual([calls, calls, calls, calls]);
    }
  });
});

describe("a bucket starts from the last known state of the backend", () => {
  const scope = scopeOf({ rate: 60, period: 60, burst: 60 });

  test("a refused key stays refused until the time that the backend gave", () => {
    const fallback = fallbackOf(1);
    answered(fallback, scope, { allowed: false, used: scope.policy.limits[0].capacityUnits });
    now = 999;
    expect(fallback.take(scope, "key", 1).allowed).toBe(false);
    now = 1000;
    expect(fallback.take(scope, "key", 1).allowed).toBe(true);
  });

  test("a key with half of its tokens gets half of its portion", () => {
    const fallback = fallbackOf(3);
    answered(fallback, scope, { allowed: true, used: scope.policy.limits[0].capacityUnits / 2 });
    expect(admittedOf(fallback, scope)).toBe(10);
  });

  test("a newer state of the backend replaces the bucket", () => {
    const fallback = fallbackOf(1);
    admittedOf(fallback, scope);
    answered(fallback, scope, { allowed: true, used: 0 });
    expect(admittedOf(fallback, scope)).toBe(60);
  });

  test("each of several limits starts from its own state", () => {
    const several = scopeOf({
      limits: [
        { name: "second", rate: 10, period: 1 },
        { name: "hour", rate: 100, period: "1h" },
      ],
    });
    const [second, hour] = several.policy.limits;
    const fallback = fallbackOf(1);
    answered(fallback, several, { allowed: true, used: [0, (hour?.capacityUnits ?? 0) - 3 * (hour?.unitsPerToken ?? 0)] });
    expect(admittedOf(fallback, several)).toBe(3);
    expect(second.burst).toBe(10);
  });
});

describe("its answers are accurate", () => {
  test.each([
    [{ rate: 100, period: 60, burst: 100 }, 1, 1],
    [{ rate: 100, period: 60, burst: 100 }, 4, 1],
    [{ rate: 100, period: 60, burst: 100 }, 4, 7],
    [{ rate: 100, period: 60, burst: 2 }, 4, 1],
    [{ rate: 7, period: 1, burst: 3 }, 5, 2],
    [{ rate: 7001, period: 1, burst: 40 }, 3, 5],
    [{ rate: 1, period: 3600, burst: 1 }, 12, 1],
  ] as const)(
    "%j as one of %i processes at a cost of %i: `remaining` calls are admitted, then one at `retryAfter` and none 1 ms earlier",
    (policy, instances, cost) => {
      const fallback = fallbackOf(instances);
      const scope = scopeOf(policy);
      for (let round = 0; round < 5; round++) {
        const peeked = toResult(scope.policy, { ...fallback.take(scope, "key", 0), allowed: true }, 1);
        let refused = fallback.take(scope, "key", cost);
        let admitted = 0;
        for (; refused.allowed; refused = fallback.take(scope, "key", cost)) admitted++;
        if (cost === 1) expect(admitted).toBe(peeked.remaining);
        const { retryAfter, remaining } = toResult(scope.policy, refused, cost);
        expect(remaining).toBeLessThan(cost);
        const due = now + Math.round(retryAfter * 1000);
        now = due - 1;
        expect(fallback.take(scope, "key", cost).allowed).toBe(false);
        now = due;
        expect(fallback.take(scope, "key", cost).allowed).toBe(true);
      }
    },
  );

  test("a cost above the burst is never admitted", () => {
    const fallback = fallbackOf(4);
    const scope = scopeOf({ rate: 10, period: 1 });
    const take = fallback.take(scope, "key", 11);
    expect([take.allowed, toResult(scope.policy, take, 11).retryAfter]).toEqual([false, Number.POSITIVE_INFINITY]);
  });

  test("the source of an answer is local", () => {
    const scope = scopeOf({ rate: 10, period: 1 });
    const take = fallbackOf(4).take(scope, "key", 1);
    expect(take).toEqual({ allowed: true, used: 4 * scope.policy.limits[0].unitsPerToken, source: "local", instances: 4 });
    expect(toResult(scope.policy, take, 1)).toMatchObject({ source: "local", degraded: true, remaining: 1 });
  });
});

describe("charges and refunds", () => {
  const scope = scopeOf({ rate: 60, period: 60 });
  const { unitsPerToken: p } = scope.policy.limits[0];

  test("count as if every process had made them", () => {
    const fallback = fallbackOf(4);
    expect(fallback.adjust(scope, "key", 10)).toEqual({ allowed: true, used: 40 * p, uncharged: 0, source: "local", instances: 4 });
    expect(fallback.adjust(scope, "key", -5).used).toBe(20 * p);
    expect(fallback.adjust(scope, "key", -500).used).toBe(0);
  });

  test.each([
    [1, 6000, 5880, 61],
    [4, 6000, 5970, 64],
    [4, 30, 0, 64],
    [4, 31, 1, 64],
    [7, 18, 1, 67],
    [1, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER - 120, 61],
  ])(
    "as one of %i processes: a charge of %i stops at a debt of one burst, and reports %i uncharged",
    (instances, tokens, uncharged, retryAfter) => {
      const fallback = fallbackOf(instances);
      const take = fallback.adjust(scope, "key", tokens);
      expect([take.used, take.uncharged]).toEqual([120 * p, uncharged]);
      expect(toResult(scope.policy, fallback.take(scope, "key", 1), 1).retryAfter).toBe(retryAfter);
      expect(fallback.adjust(scope, "key", 1)).toMatchObject({ used: 120 * p, uncharged: 1 });
    },
  );

  test("with several limits, stop at each limit's own burst and report the largest uncharged rest", () => {
    const several = scopeOf({
      limits: [
        { name: "small", rate: 10, period: "1h" },
        { name: "large", rate: 100, period: "1h" },
      ],
    });
    const [small, large] = several.policy.limits;
    const take = fallbackOf(1).adjust(several, "key", 50);
    expect(take).toMatchObject({ used: [20 * small.unitsPerToken, 50 * (large?.unitsPerToken ?? 0)], uncharged: 30 });
  });

  test("do not reduce the debt of an earlier call: each process admits at least one call, and owes it", () => {
    const fallback = fallbackOf(4);
    expect(fallback.take(scope, "key", 60).used).toBe(240 * p);
    expect(fallback.adjust(scope, "key", 5)).toMatchObject({ used: 240 * p, uncharged: 5 });
    expect(fallback.adjust(scope, "key", -5)).toMatchObject({ used: 220 * p, uncharged: 0 });
  });
});

test("it keeps at most the configured number of buckets", () => {
  const fallback = fallbackOf(1, 100);
  const scope = scopeOf({ rate: 10, period: 60 });
  admittedOf(fallback, scope);
  for (let i = 0; i < 10_000; i++) fallback.take(scope, `sprayed ${i}`, 1);
  expect(fallback.take(scope, "key", 1).allowed).toBe(false);
});
