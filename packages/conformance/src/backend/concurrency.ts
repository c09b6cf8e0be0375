import assert from "node:assert/strict";
import fc from "fast-check";
import { capacityOf, policyOf, slow, slowLimits } from "./arbitraries.ts";
import { always } from "./property.ts";
import { type BackendRequirement, requirement } from "./requirement.ts";

export const sameTick: BackendRequirement = requirement(
  "of two calls in one tick at a limit of 1, exactly one is admitted",
  "any",
  async (fixture) => {
    const limiter = fixture.limiter(slow(1));
    const results = await Promise.all([limiter.check("key"), limiter.check("key")]);
    assert.equal(results.filter(({ allowed }) => allowed).length, 1);
  },
);

export const crowd: BackendRequirement = requirement(
  "of many calls in one tick, exactly as many are admitted as there are tokens",
  "any",
  (fixture) =>
    always(
      fixture,
      fc.tuple(slowLimits, fc.integer({ min: 1, max: 30 })),
      async ([limits, more]) => {
        const limiter = fixture.limiter(policyOf(limits));
        const calls = Array.from({ length: capacityOf(limits) + more }, () => limiter.check("key"));
        const admitted = (await Promise.all(calls)).filter(({ allowed }) => allowed);
        assert.equal(admitted.length, capacityOf(limits));
        assert.equal(
          new Set(admitted.map(({ remaining }) => remaining)).size,
          admitted.length,
          "each admitted call reports a different remaining",
        );
      },
      20,
    ),
);

export const nothingLost: BackendRequirement = requirement(
  "no charge or refund is lost when many are made in one tick",
  "any",
  async (fixture) => {
    const limiter = fixture.limiter(slow(100));
    await limiter.charge("key", 50);
    await Promise.all(Array.from({ length: 40 }, (_, i) => (i % 4 === 0 ? limiter.refund("key", 2) : limiter.charge("key", 2))));
    assert.equal((await limiter.peek("key")).remaining, 10);
  },
);
