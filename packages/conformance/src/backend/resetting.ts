import assert from "node:assert/strict";
import { severalSlow, slow } from "./arbitraries.ts";
import { type BackendRequirement, requirement } from "./requirement.ts";

export const reset: BackendRequirement = requirement("a reset fills the bucket of its key and no other", "any", async (fixture) => {
  for (const policy of [slow(5), severalSlow]) {
    const [limiter, other] = [fixture.limiter(policy), fixture.limiter(policy)];
    for (const key of ["key", "neighbor"]) await limiter.charge(key, 8);
    await other.charge("key", 8);
    await limiter.reset("key");
    await limiter.reset("never used");
    const full = (await limiter.peek("key")).limits.map(({ used }) => used);
    assert.deepEqual(
      full,
      full.map(() => 0),
    );
    assert.equal((await limiter.check("key", { cost: 2 })).allowed, true);
    for (const [who, key] of [
      [limiter, "neighbor"],
      [other, "key"],
    ] as const)
      assert.equal((await who.check(key)).allowed, false);
  }
});

export const close: BackendRequirement = requirement("closing twice has the same effect as closing once", "any", async ({ backend }) => {
  await Promise.all([backend.close(), backend.close()]);
  await backend.close();
});
