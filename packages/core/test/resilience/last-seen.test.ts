import { definePolicy, type PolicyOptions } from "@ratelimit/core";
import type { BackendReply, KeyScope } from "@ratelimit/core/backend";
import { afterEach, describe, expect, test, vi } from "vitest";
import { LastSeen } from "../../src/resilience/last-seen.ts";
import { ManualTime } from "../support/manual-time.ts";

const made: LastSeen[] = [];
afterEach(() => {
  for (const seen of made.splice(0)) seen.close();
});

function scopeOf(policy: PolicyOptions, prefix: string = "ratelimit:test:"): KeyScope {
  return { prefix, policy: definePolicy(policy) };
}

/** One token per minute, with a burst of five. */
const scope = scopeOf({ rate: 1, period: "1m", burst: 5 });
const { unitsPerToken: p, capacityUnits: full } = scope.policy.limits[0];
const empty: BackendReply = { allowed: true, used: full };

function bench({ states = true, latencyMs = 0 } = {}): {
  time: ManualTime;
  seen: LastSeen;
  /** Records the backend's answer to a take. */
  took: (take: BackendReply, options?: { scope?: KeyScope; key?: string; cost?: number }) => Promise<void>;
} {
  const time = new ManualTime();
  const seen = new LastSeen(100_000, { states, refusals: true }, time);
  made.push(seen);
  return {
    time,
    seen,
    async took(take, { scope: its = scope, key = "key", cost = 1 } = {}) {
      const ticket = seen.enter(its, key);
      const sentAt = time.now();
      await time.pass(latencyMs);
      seen.took(ticket, its, key, cost, take, sentAt);
      seen.leave(ticket);
    },
  };
}

describe("a key last seen used up", () => {
  test("is refused from memory, based on current usage", async () => {
    const { time, seen, took } = bench();
    await took(empty);
    await time.pass(250);
    expect(seen.refusal(scope, "key", 1)).toEqual({ allowed: false, used: full - 250, source: "deny-cache", at: undefined });
    expect(seen.refusal(scope, "another", 1)).toBeUndefined();
    expect(seen.refusal(scopeOf({ rate: 1, period: "1m", burst: 5 }, "ratelimit:other:"), "key", 1)).toBeUndefined();
  });

  test("is refused for every cost that does not fit, whether the last call was admitted or refused", async () => {
    const { seen, took } = bench();
    await took({ allowed: false, used: full - 2 * p }, { cost: 3 });
    expect([1, 2, 3, 4, 5, 6, Number.MAX_SAFE_INTEGER].map((cost) => seen.refusal(scope, "key", cost) !== undefined)).toEqual([
      false,
      false,
      true,
      true,
      true,
      true,
      true,
    ]);
  });

  test("is sent to the backend again as soon as its bucket may suffice, counted from when the last call was sent", async () => {
    const quick = scopeOf({ rate: 10, period: 1, burst: 1 });
    const [limit] = quick.policy.limits;
    for (const latencyMs of [0, 40]) {
      const { time, seen, took } = bench({ latencyMs });
      await took({ allowed: false, used: limit.capacityUnits }, { scope: quick });
      await time.pass(99 - latencyMs);
      expect(seen.refusal(quick, "key", 1)).toBeDefined();
      await time.pass(1);
      expect(seen.refusal(quick, "key", 1)).toBeUndefined();
    }
  });

  test("is sent to the backend again within a second, so that waits, which ask every second, see remote refunds", async () => {
    const { time, seen, took } = bench({ latencyMs: 30 });
    await took(empty);
    await time.pass(959);
    expect(seen.refusal(scope, "key", 1)).toBeDefined();
    await time.pass(1);
    expect(seen.refusal(scope, "key", 1)).toBeUndefined();
  });

  test("with several limits is refused by whichever has too little left", async () => {
    const several = scopeOf({
      limits: [
        { name: "a", rate: 2, period: "1h" },
        { name: "b", rate: 9, period: "1h" },
      ],
    });
    const [a, b] = several.policy.limits;
    const { seen, took } = bench();
    await took({ allowed: true, used: [a.capacityUnits, b?.unitsPerToken ?? 0] }, { scope: several });
    expect(seen.refusal(several, "key", 1)).toMatchObject({ allowed: false, used: [a.capacityUnits, b?.unitsPerToken] });
  });

  test("is refused for the duration of a block, after which only the backend can start the next one", async () => {
    const blocking = scopeOf({ rate: 1, period: "1h", block: "500ms" });
    const [limit] = blocking.policy.limits;
    const { time, seen, took } = bench();
    await took({ allowed: true, used: limit.capacityUnits }, { scope: blocking });
    expect(seen.refusal(blocking, "key", 1)).toBeUndefined();
    await took({ allowed: false, used: limit.capacityUnits, blockedMs: 500 }, { scope: blocking });
    await time.pass(499);
    expect(seen.refusal(blocking, "key", 1)).toMatchObject({ blockedMs: 1 });
    await time.pass(1);
    expect(seen.refusal(blocking, "key", 1)).toBeUndefined();
  });
});

test("answers processed out of order leave the state of the last call", () => {
  const { seen, time } = bench();
  const [first, second, third] = [1, 2, 3].map(() => seen.enter(scope, "key")) as [number, number, number];
  seen.adjusted(second, scope, "key", -3, { allowed: true, used: full - 3 * p });
  seen.took(third, scope, "key", 1, { allowed: true, used: full - 2 * p }, time.now());
  seen.took(first, scope, "key", 5, { allowed: false, used: full }, time.now());
  for (const ticket of [first, second, third]) seen.leave(ticket);
  expect(seen.refusal(scope, "key", 1)).toBeUndefined();
  expect(seen.read(scope, "key").used).toEqual([full - 2 * p]);
});

describe("the backend is asked", () => {
  test.each<[string, (seen: LastSeen, took: ReturnType<typeof bench>["took"]) => unknown]>([
    ["after a peek, which takes nothing", (_, took) => took(empty, { cost: 0 })],
    ["after a call that left tokens", (_, took) => took({ allowed: true, used: full - p })],
    ["after a charge", (seen) => seen.adjusted(seen.enter(scope, "other"), scope, "key", 1, empty)],
    ["after a refund", (seen) => seen.adjusted(seen.enter(scope, "other"), scope, "key", -1, empty)],
    ["after a reset", (seen) => seen.wasReset(seen.enter(scope, "other"), scope, "key")],
    ["after a block, whose end is unknown here", (seen) => seen.blocked(seen.enter(scope, "other"), scope, "key", 500)],
    ["after a decision that this process made alone", (seen) => seen.write(scope, "key", [full], 0)],
    ["while a call on the key is in flight", (seen) => seen.enter(scope, "key")],
  ])("%s", async (_, act) => {
    for (const states of [true, false]) {
      const { seen, took } = bench({ states });
      await took(empty);
      expect(seen.refusal(scope, "key", 1)).toBeDefined();
      await act(seen, took);
      expect(seen.refusal(scope, "key", 1)).toBeUndefined();
    }
  });

  test("for a policy other than the one that was used up", async () => {
    const { seen, took } = bench();
    await took(empty);
    expect(seen.refusal(scopeOf({ rate: 1, period: "1m", burst: 10 }), "key", 1)).toBeUndefined();
    expect(seen.refusal(scope, "key", 1)).toBeDefined();
  });
});

describe("a key that another backend in this process has changed", () => {
  /** The same module loaded again, as when two copies of a package are installed. */
  const anotherCopy = async (): Promise<typeof LastSeen> => {
    vi.resetModules();
    const { LastSeen: Another } = await import("../../src/resilience/last-seen.ts");
    expect(Another).not.toBe(LastSeen);
    return Another;
  };
  const changes: readonly [string, (other: LastSeen) => void][] = [
    ["a refund", (other) => other.adjusted(other.enter(scope, "key"), scope, "key", -1, { allowed: true, used: 0 })],
    ["a reset", (other) => other.wasReset(other.enter(scope, "key"), scope, "key")],
    ["a block", (other) => other.blocked(other.enter(scope, "key"), scope, "key", 1000)],
  ];

  test.each(changes)(
    "with %s is no longer refused from memory, nor in an outage, even if another copy of this package made the change",
    async (_, change) => {
      for (const Table of [LastSeen, await anotherCopy()]) {
        const { seen, took } = bench();
        const other = new Table(10, { states: true, refusals: true });
        made.push(other);
        await took(empty);
        await took(empty, { key: "neighbour" });
        change(other);
        expect(seen.refusal(scope, "key", 1)).toBeUndefined();
        expect(seen.read(scope, "key").used).toEqual([0]);
        expect(seen.refusal(scope, "neighbour", 1)).toBeDefined();
      }
    },
  );

  test.each(changes)("with %s is not restored by the answer to an earlier call", async (_, change) => {
    const { seen, took, time } = bench();
    const other = new LastSeen(10, { states: true, refusals: true });
    made.push(other);
    const ticket = seen.enter(scope, "key");
    change(other);
    seen.took(ticket, scope, "key", 1, { allowed: false, used: full }, time.now());
    seen.leave(ticket);
    expect(seen.refusal(scope, "key", 1)).toBeUndefined();
    expect(seen.read(scope, "key").used).toEqual([0]);
    await took(empty);
    expect(seen.refusal(scope, "key", 1)).toBeDefined();
  });

  test("with a charge is still refused from memory, because others can only have taken more", async () => {
    const { seen, took } = bench();
    const other = new LastSeen(10, { states: true, refusals: true });
    made.push(other);
    await took(empty);
    other.adjusted(other.enter(scope, "key"), scope, "key", 1, empty);
    expect(seen.refusal(scope, "key", 1)).toBeDefined();
  });
});

test("at most 20,000 keys from the last two seconds are refused from memory, across all limiters", async () => {
  const { seen, took } = bench();
  const scopes = Array.from({ length: 500 }, (_, i) => scopeOf({ rate: 1, period: "1h" }, `ratelimit:tenant-${i}:`));
  const used = scopes[0]?.policy.limits[0].capacityUnits as number;
  for (let key = 0; key < 60; key++) for (const its of scopes) await took({ allowed: false, used }, { scope: its, key: `user:${key}` });
  let remembered = 0;
  for (let key = 0; key < 60; key++) for (const its of scopes) remembered += seen.refusal(its, `user:${key}`, 1) === undefined ? 0 : 1;
  expect(remembered).toBeGreaterThanOrEqual(10_000);
  expect(remembered).toBeLessThanOrEqual(20_000);
  expect(seen.refusal(scopes[0] as KeyScope, "user:59", 1)).toBeDefined();
});
