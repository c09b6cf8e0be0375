import assert from "node:assert/strict";
import { definePolicy, type Policy } from "@ratelimit/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Lot } from "../../src/lease/lot.ts";
import { LeaseModel } from "../support/lease-model.ts";
import { seed } from "../support/property.ts";

/** Something that a process does, `after` ms later than the last. A message takes `there` ms to the server and its reply `back` ms. */
interface Step {
  readonly after: number;
  readonly process: number;
  readonly do: "ask" | "spend" | "spendMost" | "take" | "takeMost" | "handBackSpent" | "handBackAll" | "crash";
  readonly tokens: number;
  readonly there: number;
  readonly back: number;
  readonly isLost: boolean;
}

const [processes, horizonMs] = [4, 40];

const policies: fc.Arbitrary<Policy> = fc.constantFrom(
  definePolicy({ rate: 100, period: 1, burst: 20 }),
  definePolicy({ rate: 7, period: "100ms", burst: 16 }),
  definePolicy({ rate: 3, period: "1ms", burst: 500 }),
  definePolicy({
    limits: [
      { name: "a", rate: 200, period: 1, burst: 40 },
      { name: "b", rate: 11, period: "100ms", burst: 30 },
    ],
  }),
);

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    after: fc.oneof(
      { weight: 4, arbitrary: fc.nat(4) },
      { weight: 1, arbitrary: fc.integer({ min: 10, max: 60 }) },
      { weight: 1, arbitrary: fc.nat(200) },
    ),
    process: fc.nat(processes - 1),
    do: fc.constantFrom("ask", "ask", "spend", "spendMost", "take", "takeMost", "handBackSpent", "handBackAll", "crash"),
    tokens: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 60 })),
    there: fc.nat(6),
    back: fc.nat(6),
    isLost: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  }),
  { minLength: 20, maxLength: 200 },
);

/** Counts what all processes admitted, as if one bucket had seen it all. */
class Shadow {
  readonly #policy: Policy;
  readonly #used: number[];
  #now = 0;
  admitted = 0;
  /** The most units beyond a bucket that were ever in use. */
  excess = Number.NEGATIVE_INFINITY;

  constructor(policy: Policy) {
    this.#policy = policy;
    this.#used = policy.limits.map(() => 0);
  }

  admit(tokens: number, now: number): void {
    this.admitted += tokens;
    for (const [i, { unitsPerMs, unitsPerToken, capacityUnits }] of this.#policy.limits.entries()) {
      const drained = Math.max(0, (this.#used[i] as number) - (now - this.#now) * unitsPerMs);
      this.#used[i] = drained + tokens * unitsPerToken;
      this.excess = Math.max(this.excess, this.#used[i] - capacityUnits);
    }
    this.#now = now;
  }
}

/** Runs a schedule, and returns what was admitted. */
function run(policy: Policy, steps: readonly Step[], model: LeaseModel): Shadow {
  const shadow = new Shadow(policy);
  const lots: Lot[][] = Array.from({ length: processes }, () => []);
  const due: { readonly at: number; readonly run: (now: number) => void }[] = [];
  let now = 0;
  const at = (ms: number, event: (now: number) => void): void => {
    due.push({ at: ms, run: event });
    due.sort((a, b) => a.at - b.at);
  };
  /** Sends lots back and asks for tokens. A message or its reply may be lost. */
  const ask = ({ process, there, back, isLost }: Step, tokens: number, part: "handBackSpent" | "handBackAll"): void => {
    const own = lots[process] as Lot[];
    const handBack = own.filter(({ endsAt }) => now < endsAt).map((lot) => ({ generation: lot.generation, ...lot[part]() }));
    const validMs = 2 * horizonMs;
    const sentAt = now;
    at(now + there, (arrived) => {
      if (isLost && back % 2 === 0) return;
      model.pass(arrived);
      const grant = model.lease({ tokens, horizonMs, validMs, handBack });
      if (isLost || grant.tokens === 0) return;
      at(arrived + back, (replied) => own.push(new Lot(policy.limits, grant, replied, sentAt + validMs)));
    });
  };
  const act = (step: Step): void => {
    const own = lots[step.process] as Lot[];
    if (step.do === "ask") ask(step, step.tokens, step.back % 2 === 0 ? "handBackSpent" : "handBackAll");
    else if (step.do === "handBackSpent" || step.do === "handBackAll") ask(step, 0, step.do);
    else if (step.do === "crash") own.length = 0;
    else if (step.do === "spend" || step.do === "spendMost") {
      const tokens = step.do === "spend" ? step.tokens : 1;
      for (let times = step.do === "spend" ? 1 : 1000; times > 0 && own.some((lot) => lot.spend(tokens, now)); times--)
        shadow.admit(tokens, now);
    } else
      at(now + step.there, (arrived) => {
        model.pass(arrived);
        const rooms = policy.limits.map((limit, i) => Math.floor((limit.capacityUnits - (model.used[i] as number)) / limit.unitsPerToken));
        const tokens = step.do === "take" ? step.tokens : Math.max(0, Math.min(...rooms));
        if (model.take(tokens)) shadow.admit(tokens, arrived);
      });
  };
  for (const step of steps) {
    const until = now + step.after;
    for (let next = due[0]; next !== undefined && next.at <= until; next = due[0]) {
      due.shift();
      now = next.at;
      next.run(now);
    }
    now = until;
    act(step);
  }
  return shadow;
}

test("whatever processes ask, spend, hand back and lose, one bucket that saw it all is never overdrawn", { timeout: 60_000 }, () => {
  let admitted = 0;
  fc.assert(
    fc.property(policies, steps, (policy, steps) => {
      const shadow = run(policy, steps, new LeaseModel(policy.limits));
      admitted += shadow.admitted;
      assert.ok(shadow.excess <= 0, `${shadow.excess} units too many`);
    }),
    { seed, numRuns: 3000 },
  );
  expect(admitted).toBeGreaterThan(30_000);
});

test("the same schedules overdraw it if tokens in hand drain in the server", () => {
  const drains = fc.check(
    fc.property(policies, steps, (policy, steps) => run(policy, steps, new LeaseModel(policy.limits, { holds: false })).excess <= 0),
    { seed, numRuns: 3000, endOnFailure: true },
  );
  expect(drains.failed).toBe(true);
});
