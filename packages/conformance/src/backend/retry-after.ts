import assert from "node:assert/strict";
import fc from "fast-check";
import { anyLimits, capacityOf, policyOf } from "./arbitraries.ts";
import { always } from "./property.ts";
import { type BackendRequirement, requirement } from "./requirement.ts";

const share = fc.double({ min: 0, max: 1, noNaN: true });

export const retryAfter: BackendRequirement = requirement(
  "a refused call stays refused until retryAfter - 1 ms and is admitted at retryAfter",
  "manual clock",
  (fixture) =>
    always(
      fixture,
      fc.record({ limits: anyLimits, spent: share, cost: share, later: fc.nat(50) }),
      async ({ limits, spent, cost, later }) => {
        const limiter = fixture.limiter(policyOf(limits));
        const capacity = capacityOf(limits);
        const wanted = { cost: 1 + Math.floor(cost * (capacity - 1)) };
        await limiter.charge("key", Math.ceil(spent * 2 * capacity));
        await fixture.pass(later);
        const refusal = await limiter.check("key", wanted);
        if (refusal.allowed) return;
        const retryMs = refusal.retryAfter * 1000;
        await fixture.pass(Math.round(retryMs) - 1);
        assert.equal((await limiter.check("key", wanted)).allowed, false, `refused ${retryMs} - 1 ms later`);
        await fixture.pass(1);
        assert.equal((await limiter.check("key", wanted)).allowed, true, `admitted ${retryMs} ms later`);
      },
    ),
);

export const liveRetryAfter: BackendRequirement = requirement(
  "a caller that sleeps for retryAfter and retries is admitted",
  "any",
  async (fixture) => {
    const limiter = fixture.limiter({
      limits: [
        { name: "a", rate: 100, period: 1, burst: 2 },
        { name: "b", rate: 7001, period: 1, burst: 30 },
      ],
    });
    for (const cost of [2, 1, 2, 2, 1]) {
      let result = await limiter.check("key", { cost });
      if (!result.allowed) {
        await fixture.pass(Math.round(result.retryAfter * 1000));
        result = await limiter.check("key", { cost });
      }
      assert.equal(result.allowed, true, `${cost} tokens are admitted`);
    }
  },
);

export const aboveBurst: BackendRequirement = requirement(
  "a cost above the burst is never admitted and takes nothing",
  "any",
  async (fixture) => {
    const limiter = fixture.limiter({ rate: 5, period: "1d" });
    for (const cost of [6, 1000, Number.MAX_SAFE_INTEGER]) {
      const { allowed, retryAfter, remaining } = await limiter.check("key", { cost });
      assert.deepEqual({ allowed, retryAfter, remaining }, { allowed: false, retryAfter: Number.POSITIVE_INFINITY, remaining: 5 });
    }
    assert.equal((await limiter.check("key", { cost: 5 })).allowed, true);
  },
);
