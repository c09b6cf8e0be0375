import assert from "node:assert/strict";
import fc from "fast-check";
import { anyLimits, capacityOf, policyOf } from "./arbitraries.ts";
import { Oracle } from "./oracle.ts";
import { always } from "./property.ts";
import { type BackendRequirement, requirement } from "./requirement.ts";

const steps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ take: fc.integer({ min: 1, max: 8 }) }) },
    { weight: 2, arbitrary: fc.record({ pass: fc.nat(400) }) },
    { weight: 1, arbitrary: fc.record({ back: fc.nat(3000) }) },
  ),
  { minLength: 1, maxLength: 40 },
);

export const clockBack: BackendRequirement = requirement(
  "a clock that steps back never admits more than a steady one",
  "manual clock",
  (fixture) =>
    always(fixture, fc.tuple(anyLimits, steps), async ([limits, steps]) => {
      const limiter = fixture.limiter(policyOf(limits));
      const steady = new Oracle();
      const cost = Math.max(1, Math.floor(capacityOf(limits) / 8));
      let lead = 0;
      for (const step of steps) {
        if ("back" in step) await fixture.pass(-step.back);
        if ("pass" in step) {
          await fixture.pass(step.pass);
          steady.advance(step.pass);
        }
        for (let i = 0; "take" in step && i < step.take; i++) {
          if (steady.take(limits, cost).allowed) lead--;
          if ((await limiter.check("key", { cost })).allowed) lead++;
          assert.ok(lead <= 0, `${lead} more calls than with a steady clock`);
        }
      }
    }),
);

export const clampIsKept: BackendRequirement = requirement(
  "after the clock steps back, a bucket owes at most one burst",
  "manual clock",
  async (fixture) => {
    const limiter = fixture.limiter({ rate: 10, period: 1, burst: 10 });
    await limiter.check("key", { cost: 10 });
    await fixture.pass(-3_600_000);
    const refusal = await limiter.check("key");
    assert.deepEqual([refusal.allowed, refusal.retryAfter, refusal.resetAfter], [false, 1.1, 2]);
    await fixture.pass(1099);
    assert.equal((await limiter.check("key")).allowed, false);
    await fixture.pass(1);
    assert.equal((await limiter.check("key")).allowed, true, "the refusal's retryAfter is exact, because the clamp was stored");
  },
);

export const peekIsKept: BackendRequirement = requirement(
  "a peek after a clock step or a lowered limit stores the clamped bucket, so its retryAfter is exact",
  "manual clock",
  async (fixture) => {
    const limiter = fixture.limiter({ rate: 10, period: 1, burst: 10 });
    await limiter.check("key", { cost: 10 });
    await fixture.pass(-3_600_000);
    for (const { resetAfter } of [await limiter.check("key", { cost: 0 }), await limiter.peek("key")]) assert.equal(resetAfter, 2);
    await fixture.pass(1100);
    assert.equal((await limiter.peek("key")).allowed, true);

    const lowered = fixture.limiter({ rate: 1000, period: "1h" });
    await lowered.check("key", { cost: 1000 });
    lowered.update({ rate: 100, period: "1m" });
    const { allowed, retryAfter } = await lowered.peek("key");
    assert.deepEqual([allowed, retryAfter], [false, 0.6]);
    await fixture.pass(600);
    assert.equal((await lowered.peek("key")).allowed, true);
  },
);
