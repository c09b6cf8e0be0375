import assert from "node:assert/strict";
import type { RateLimitResult } from "@ratelimit/core";
import fc from "fast-check";
import { capacityOf, policyOf, slowLimits } from "./arbitraries.ts";
import { always } from "./property.ts";
import { type BackendRequirement, requirement } from "./requirement.ts";

const cost = fc.nat(12);

export const sum: BackendRequirement = requirement("take(a) then take(b) equals take(a + b) if that fits", "any", (fixture) =>
  always(fixture, fc.tuple(slowLimits, cost, cost), async ([limits, a, b]) => {
    const limiter = fixture.limiter(policyOf(limits));
    const whole = await limiter.check("whole", { cost: a + b });
    const parts = [await limiter.check("parts", { cost: a }), await limiter.check("parts", { cost: b })];
    if (a + b > 0) assert.equal(whole.allowed, a + b <= capacityOf(limits), `take(${a + b}) of ${capacityOf(limits)}`);
    if (!whole.allowed) return;
    assert.ok(parts.every(({ allowed }) => allowed));
    assert.deepEqual(left(await limiter.peek("parts")), left(whole));
  }),
);

export const monotony: BackendRequirement = requirement("a higher cost is never admitted if a lower one is refused", "any", (fixture) =>
  always(fixture, fc.tuple(slowLimits, cost, cost, cost), async ([limits, spent, a, b]) => {
    const limiter = fixture.limiter(policyOf(limits));
    for (const key of ["little", "much"]) await limiter.check(key, { cost: spent });
    const little = await limiter.check("little", { cost: Math.min(a, b) });
    const much = await limiter.check("much", { cost: Math.max(a, b) });
    assert.ok(little.allowed || !much.allowed, `${Math.max(a, b)} was admitted although ${Math.min(a, b)} was not`);
  }),
);

export const peekChangesNothing: BackendRequirement = requirement(
  "peeking changes nothing, whatever cost it asks about",
  "any",
  (fixture) =>
    always(fixture, fc.tuple(slowLimits, fc.array(fc.tuple(cost, cost), { maxLength: 8 })), async ([limits, takes]) => {
      const limiter = fixture.limiter(policyOf(limits));
      for (const [cost, asked] of takes) {
        const peeked = await limiter.peek("watched", { cost: asked });
        const looked = await limiter.check("watched", { cost: 0 });
        const [watched, alone] = [await limiter.check("watched", { cost }), await limiter.check("alone", { cost })];
        assert.deepEqual(left(peeked), left(looked), "peek and a cost of 0 must see the same");
        assert.deepEqual([watched.allowed, left(watched)], [alone.allowed, left(alone)], "the peeked-at bucket equals the other one");
      }
    }),
);

export const allOrNone: BackendRequirement = requirement("several limits are all charged, or none is", "any", (fixture) =>
  always(fixture, fc.tuple(slowLimits, fc.array(cost, { maxLength: 12 })), async ([limits, costs]) => {
    const limiter = fixture.limiter(policyOf(limits));
    let spent = 0;
    for (const cost of costs) {
      const result = await limiter.check("key", { cost });
      const fits = limits.every(({ burst }) => spent + cost <= burst);
      if (fits) spent += cost;
      assert.equal(result.allowed, fits, `${cost} more than ${spent}`);
      assert.deepEqual(
        left(result),
        limits.map(({ burst }) => burst - spent),
      );
    }
  }),
);

/** Whole tokens left in each limit, which a live clock cannot change during a test of slow limits. */
function left({ limits }: RateLimitResult): number[] {
  return limits.map(({ remaining }) => remaining);
}
