import assert from "node:assert/strict";
import { policyOf } from "./arbitraries.ts";
import type { LimitSpec } from "./oracle.ts";
import { type BackendRequirement, requirement } from "./requirement.ts";

const [day, hour] = [86_400_000, 3_600_000];
const a: LimitSpec = { name: "a", rate: 1, periodMs: day, burst: 10 };
const b: LimitSpec = { name: "b", rate: 1, periodMs: day, burst: 20 };
const c: LimitSpec = { name: "c", rate: 1, periodMs: day, burst: 30 };

interface Row {
  readonly what: string;
  readonly before: readonly LimitSpec[];
  readonly spent: number;
  readonly after: readonly LimitSpec[];
  /** Whole tokens left in each limit after the change. */
  readonly left: readonly number[];
}

/** A token takes a day to refill in each limit unless the row says otherwise, so the time owed determines the tokens left. */
const rows: readonly Row[] = [
  { what: "the same limit under a new name", before: [a], spent: 4, after: [{ ...a, name: "z" }], left: [6] },
  { what: "a larger burst", before: [a], spent: 10, after: [{ ...a, burst: 15 }], left: [5] },
  { what: "a smaller burst", before: [a], spent: 6, after: [{ ...a, burst: 5 }], left: [0] },
  { what: "a burst smaller than the debt: an empty bucket", before: [a], spent: 9, after: [{ ...a, burst: 5 }], left: [0] },
  { what: "a faster rate keeps the time owed", before: [a], spent: 4, after: [{ ...a, periodMs: 12 * hour }], left: [2] },
  { what: "a limit is added in front", before: [a], spent: 4, after: [b, a], left: [20, 6] },
  { what: "several limits become one of them", before: [a, b], spent: 4, after: [b], left: [16] },
  { what: "several limits become a different one", before: [a, b], spent: 4, after: [c], left: [26] },
  {
    what: "names are swapped",
    before: [a, b],
    spent: 4,
    after: [
      { ...b, name: "a" },
      { ...a, name: "b" },
    ],
    left: [16, 6],
  },
  { what: "the order changes", before: [a, b], spent: 4, after: [b, a], left: [16, 6] },
  { what: "a limit is added", before: [a, b], spent: 4, after: [a, c, b], left: [6, 30, 16] },
  { what: "a limit is removed", before: [a, b, c], spent: 4, after: [c, a], left: [26, 6] },
  { what: "all limits are replaced", before: [a, b], spent: 4, after: [c, { ...c, name: "d" }], left: [26, 26] },
];

export const policyChange: BackendRequirement = requirement(
  "a bucket keeps the time it owes when limits are reordered, added, removed or changed",
  "any",
  async (fixture) => {
    for (const { what, before, spent, after, left } of rows) {
      const limiter = fixture.limiter(policyOf(before));
      await limiter.check("key", { cost: spent });
      limiter.update(policyOf(after));
      const seen = (await limiter.peek("key")).limits.map(({ remaining }) => remaining);
      assert.deepEqual(seen, left, what);
      // Whether or not a token is taken, the state now belongs to the new policy.
      const { allowed } = await limiter.check("key");
      const kept = (await limiter.peek("key")).limits.map(({ remaining }) => remaining);
      assert.deepEqual(kept, allowed ? left.map((tokens) => tokens - 1) : left, `${what}, and a token is taken`);
    }
  },
);

export const loweredLimit: BackendRequirement = requirement(
  "a lowered limit starts with an empty bucket at worst, and a refusal stores that, so its retryAfter is exact",
  "manual clock",
  async (fixture) => {
    const limiter = fixture.limiter({ rate: 1, period: 1, burst: 1000 });
    await limiter.check("key", { cost: 1000 });
    limiter.update({ rate: 1, period: 1, burst: 5 });
    const { allowed, retryAfter } = await limiter.check("key");
    assert.deepEqual([allowed, retryAfter], [false, 1]);
    await fixture.pass(999);
    assert.equal((await limiter.check("key")).allowed, false);
    await fixture.pass(1);
    assert.equal((await limiter.check("key")).allowed, true);
  },
);

export const slack: BackendRequirement = requirement(
  "a limit's slack is exact, and no other limit inherits it",
  "manual clock",
  async (fixture) => {
    // 7 units drain per millisecond and a token is 1000 units, so it takes 142 ms plus 6 units of the next.
    const limiter = fixture.limiter({ rate: 7, period: 1, burst: 7 });
    const used = async (): Promise<number | undefined> => (await limiter.peek("key")).limits[0]?.used;
    await limiter.check("key");
    assert.equal(await used(), 1000);
    await fixture.pass(142);
    assert.equal(await used(), 6);
    // One millisecond is owed, which is 3 units at 3 units per millisecond.
    limiter.update({ rate: 3, period: 1, burst: 7 });
    assert.equal(await used(), 3);
  },
);
