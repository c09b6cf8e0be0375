import assert from "node:assert/strict";
import { definePolicy, type PolicyOptions } from "@ratelimit/core";
import type { BackendReply, KeyScope } from "@ratelimit/core/backend";
import { severalSlow, slow } from "./arbitraries.ts";
import { type BackendRequirement, requirement, unusedName } from "./requirement.ts";

export const answers: BackendRequirement = requirement(
  "a reply reports usage in whole units: a number for one limit, a list for several",
  "any",
  async ({ backend }) => {
    const [one, several] = [scopeOf(slow(2)), scopeOf(severalSlow)];
    const day = 86_400_000;
    for (const [allowed, tokens] of [
      [true, 1],
      [true, 2],
      [false, 2],
    ] as const) {
      assertUnits(await backend.take(one, "key", 1), allowed, tokens * day);
      assertUnits(await backend.take(several, "key", 1), allowed, [tokens * day, tokens * 2 * day]);
    }
    const charged = await backend.adjust(one, "key", 5);
    assertUnits(charged, true, 4 * day);
    assert.equal(charged.uncharged, 3);
    const refunded = await backend.adjust(several, "key", -1);
    assertUnits(refunded, true, [day, 2 * day]);
    assert.ok(refunded.uncharged === undefined || refunded.uncharged === 0);
  },
);

function scopeOf(policy: PolicyOptions): KeyScope {
  return { prefix: `ratelimit:${unusedName()}:`, policy: definePolicy(policy) };
}

/** On a live clock, one unit drains per millisecond, so usage may be up to 30,000 units (half a minute) lower than expected. */
function assertUnits({ allowed, used }: BackendReply, expectedAllowed: boolean, expected: number | readonly number[]): void {
  assert.equal(allowed, expectedAllowed);
  assert.equal(typeof used, typeof expected);
  const [units, most] = [[used].flat(), [expected].flat()];
  assert.equal(units.length, most.length);
  for (const [i, limit] of most.entries()) {
    const unit = units[i] as number;
    assert.ok(Number.isInteger(unit) && unit <= limit && unit > limit - 30_000, `${unit} units instead of ${limit}`);
  }
}
