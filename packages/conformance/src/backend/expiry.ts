import assert from "node:assert/strict";
import type { RateLimiter } from "@ratelimit/core";
import fc from "fast-check";
import { anyLimits, capacityOf, policyOf } from "./arbitraries.ts";
import { always } from "./property.ts";
import { type BackendRequirement, requirement } from "./requirement.ts";

const costs = fc.array(fc.record({ share: fc.double({ min: 0, max: 1, noNaN: true }), pause: fc.nat(20) }), { minLength: 1, maxLength: 8 });

export const expiry: BackendRequirement = requirement(
  "forgetting a bucket once resetAfter has passed changes no later result",
  "manual clock",
  (fixture) =>
    always(fixture, fc.record({ limits: anyLimits, before: costs, after: costs }), async ({ limits, before, after }) => {
      const limiter = fixture.limiter(policyOf(limits));
      const spend = async (key: string, share: number): Promise<unknown> => {
        const { resetAt, ...figures } = await limiter.check(key, { cost: Math.ceil(share * capacityOf(limits)) });
        return figures;
      };
      for (const { share, pause } of before) {
        for (const key of ["kept", "forgotten"]) await spend(key, share);
        await fixture.pass(pause);
      }
      await fixture.pass(await untilFull(limiter, "forgotten"));
      await limiter.reset("forgotten");
      for (const { share, pause } of after) {
        assert.deepEqual(await spend("kept", share), await spend("forgotten", share));
        await fixture.pass(pause);
      }
    }),
);

export const fullAtReset: BackendRequirement = requirement(
  "a bucket is full when resetAfter has passed, and not a millisecond earlier",
  "manual clock",
  (fixture) =>
    always(fixture, fc.tuple(anyLimits, fc.double({ min: 0, max: 2, noNaN: true })), async ([limits, spent]) => {
      const limiter = fixture.limiter(policyOf(limits));
      await limiter.charge("key", Math.max(1, Math.floor(spent * capacityOf(limits))));
      await fixture.pass((await untilFull(limiter, "key")) - 1);
      assert.equal(await untilFull(limiter, "key"), 1);
      await fixture.pass(1);
      const { limits: figures } = await limiter.peek("key");
      assert.deepEqual(
        figures.map(({ used }) => used),
        limits.map(() => 0),
      );
    }),
);

export const liveFullAtReset: BackendRequirement = requirement(
  "a caller that sleeps for resetAfter finds the bucket full",
  "any",
  async (fixture) => {
    const limiter = fixture.limiter({ rate: 7001, period: 1, burst: 100 });
    await limiter.charge("key", 150);
    await fixture.pass(await untilFull(limiter, "key"));
    assert.equal((await limiter.check("key", { cost: 100 })).allowed, true);
  },
);

/** Milliseconds until every limit is full. */
async function untilFull(limiter: RateLimiter, key: string): Promise<number> {
  const { limits } = await limiter.peek(key);
  return Math.round(Math.max(...limits.map(({ resetAfter }) => resetAfter)) * 1000);
}
