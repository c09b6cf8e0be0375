import assert from "node:assert/strict";
import { definePolicy } from "@ratelimit/core";
import type { KeyScope } from "@ratelimit/core/backend";
import { slow } from "./arbitraries.ts";
import { type BackendRequirement, requirement, unusedName } from "./requirement.ts";

const blocking = { ...slow(2), block: "10s" } as const;

export const blockOnRefusal: BackendRequirement = requirement(
  "a policy with `block` refuses a key from its first refusal until the block ends, however many refusals follow",
  "manual clock",
  async (fixture) => {
    const limiter = fixture.limiter({ rate: 1, period: 1, burst: 2, block: "10s" });
    await limiter.check("key", { cost: 2 });
    assert.equal((await limiter.check("key")).retryAfter, 10, "the first refusal starts the block");
    await fixture.pass(4000);
    const { allowed, remaining, retryAfter } = await limiter.check("key");
    assert.deepEqual([allowed, remaining, retryAfter], [false, 0, 6], "a later refusal does not prolong it");
    await fixture.pass(5999);
    assert.equal((await limiter.check("key")).allowed, false);
    await fixture.pass(1);
    assert.equal((await limiter.check("key")).allowed, true);

    const slower = fixture.limiter({ rate: 1, period: 60, burst: 2, block: "10s" });
    await slower.check("key", { cost: 2 });
    assert.equal((await slower.check("key", { cost: 2 })).retryAfter, 120, "the limits make it wait longer than the block");
    await fixture.pass(120_000);
    assert.equal((await slower.check("key", { cost: 2 })).allowed, true);
  },
);

export const blockByCall: BackendRequirement = requirement(
  "a block refuses every call with a cost, shows in a peek, is never shortened by another block, and is lifted by reset",
  "any",
  async (fixture) => {
    const scope: KeyScope = { prefix: `ratelimit:${unusedName()}:`, policy: definePolicy(slow(5)) };
    await fixture.backend.take(scope, "key", 1);
    await fixture.backend.block(scope, "key", 3_600_000);
    await fixture.backend.block(scope, "key", 1);
    const refused = await fixture.backend.take(scope, "key", 1);
    assert.equal(refused.allowed, false);
    assert.ok((refused.blockedMs ?? 0) > 3_590_000, `blocked for ${refused.blockedMs} ms`);
    const look = await fixture.backend.take(scope, "key", 0);
    assert.ok((look.blockedMs ?? 0) > 3_590_000, `the peek reports ${look.blockedMs} ms`);
    assert.ok(([look.used].flat()[0] as number) <= ([refused.used].flat()[0] as number), "nothing was charged");
    assert.equal((await fixture.backend.take(scope, "other", 1)).blockedMs, undefined, "another key is free");
    await fixture.backend.reset(scope, "key");
    const after = await fixture.backend.take(scope, "key", 5);
    assert.deepEqual([after.allowed, after.blockedMs], [true, undefined]);
  },
);

export const blockAcrossPolicies: BackendRequirement = requirement("a block survives a policy change", "any", async (fixture) => {
  const limiter = fixture.limiter(blocking);
  await limiter.check("key", { cost: 2 });
  await limiter.check("key");
  limiter.update(slow(50));
  const { allowed, retryAfter } = await limiter.check("key");
  assert.equal(allowed, false);
  assert.ok(retryAfter > 5 && retryAfter <= 86_400, `retry after ${retryAfter} s`);
});
