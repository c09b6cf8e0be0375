import assert from "node:assert/strict";
import fc from "fast-check";
import { capacityOf, policyOf, slowLimits } from "./arbitraries.ts";
import { always } from "./property.ts";
import { type BackendRequirement, requirement } from "./requirement.ts";

export const refund: BackendRequirement = requirement("a refund returns what was taken, up to a full bucket", "any", (fixture) =>
  always(fixture, fc.tuple(slowLimits, fc.nat(20), fc.integer({ min: 1, max: 40 })), async ([limits, cost, back]) => {
    const limiter = fixture.limiter(policyOf(limits));
    const taken = (await limiter.check("key", { cost })).allowed ? cost : 0;
    const { allowed, retryAfter, limits: figures } = await limiter.refund("key", back);
    assert.deepEqual([allowed, retryAfter], [true, 0]);
    assert.deepEqual(
      figures.map(({ remaining }) => remaining),
      limits.map(({ burst }) => burst - Math.max(0, taken - back)),
    );
    assert.equal((await limiter.check("key", { cost: capacityOf(limits) + 1 })).allowed, false, "a refund never makes a bucket larger");
  }),
);

export const charge: BackendRequirement = requirement(
  "a charge takes what is left, goes into debt by at most one burst, and reports the rest as uncharged",
  "any",
  (fixture) =>
    always(
      fixture,
      fc.tuple(slowLimits, fc.array(fc.integer({ min: 1, max: 25 }), { minLength: 1, maxLength: 6 })),
      async ([limits, charges]) => {
        const limiter = fixture.limiter(policyOf(limits));
        const left = limits.map(({ burst }) => burst);
        for (const tokens of charges) {
          const { allowed, uncharged, limits: figures } = await limiter.charge("key", tokens);
          const beyond = left.map((tokensLeft, i) => Math.max(0, tokens - tokensLeft - (limits[i] as { burst: number }).burst));
          for (const i of left.keys()) left[i] = (left[i] as number) - tokens + (beyond[i] as number);
          assert.deepEqual([allowed, uncharged], [true, Math.max(...beyond)], `charge ${tokens}`);
          assert.deepEqual(
            figures.map(({ remaining }) => remaining),
            left.map((tokensLeft) => Math.max(0, tokensLeft)),
          );
        }
      },
    ),
);

export const debt: BackendRequirement = requirement("a debt is paid off before anything is admitted", "any", async (fixture) => {
  const limiter = fixture.limiter({ rate: 1, period: "1d", burst: 10 });
  assert.equal((await limiter.charge("key", Number.MAX_SAFE_INTEGER)).uncharged, Number.MAX_SAFE_INTEGER - 20);
  await limiter.refund("key", 10);
  assert.equal((await limiter.check("key")).allowed, false);
  assert.equal((await limiter.refund("key", 1)).remaining, 1);
  assert.equal((await limiter.check("key")).allowed, true);
  assert.equal((await limiter.refund("key", Number.MAX_SAFE_INTEGER)).remaining, 10);
});
