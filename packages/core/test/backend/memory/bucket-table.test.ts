import { setImmediate as turn } from "node:timers/promises";
import { definePolicy, ManualClock, type Policy } from "@ratelimit/core";
import type { KeyScope } from "@ratelimit/core/backend";
import { afterEach, describe, expect, test, vi } from "vitest";
// Imported from the source file, because a test spies on the table's own cursor.
import { BucketTable } from "../../../src/backend/memory/bucket-table.ts";
import { Cursor } from "../../../src/backend/memory/cursor.ts";

afterEach(() => void vi.restoreAllMocks());

const hour = 3_600_000;
const scopeOf = (policy: Policy, prefix: string = "api:"): KeyScope => ({ prefix, policy });

test.each([0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, "5", null])("a table of %s buckets is rejected", (maxKeys) => {
  expect(() => new BucketTable(maxKeys as number, new ManualClock())).toThrow(/^Expected `maxKeys` to be a positive integer/);
});

test("a table whose clock does not return a number is rejected", () => {
  expect(() => new BucketTable(5, { now: () => Number.NaN })).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
});

describe("a new key at maxKeys", () => {
  test.each([
    ["has used little", 100],
    ["is used up", 1],
  ])("checks 12 others on average, and never more than 4,096 in addition, if every bucket %s", (_, burst) => {
    const maxKeys = 5000;
    const table = new BucketTable(maxKeys, new ManualClock());
    const scope = scopeOf(definePolicy({ rate: burst, period: "1h" }));
    for (let i = 0; i < maxKeys; i++) table.take(scope, `first:${i}`, 1);
    const nexts = vi.spyOn(Cursor.prototype, "next");
    const count = 20_000;
    for (let i = 0; i < count; i++) table.take(scope, `new:${i}`, 1);
    expect(table.evictions).toBe(count);
    expect(nexts.mock.calls.length).toBeGreaterThan(count);
    // The step at the end of a pass over the table checks no bucket.
    expect(nexts.mock.calls.length).toBeLessThanOrEqual(12 * count + 4096 + (12 * count) / maxKeys);
    table.close();
  });
});

describe("a table whose policy changes", () => {
  test("keeps every bucket, and converts each only when it is used", () => {
    const table = new BucketTable(100_000, new ManualClock());
    const [before, after] = [definePolicy({ rate: 10, period: "1h" }), definePolicy({ rate: 20, period: "1h" })];
    for (let i = 0; i < 50_000; i++) table.take(scopeOf(before), `key:${i}`, 5);
    // The key owes half an hour, which is ten tokens of the new limit.
    expect(table.take(scopeOf(after), "key:7", 1)).toMatchObject({ allowed: true, used: 11 * (hour / 20) });
    expect(table.take(scopeOf(after), "key:7", 10).allowed).toBe(false);
    expect(table.take(scopeOf(before), "key:7", 5).allowed, "the old policy has its own tokens").toBe(true);
    expect(table.take(scopeOf(after), "key:49999", 0).used).toBe(10 * (hour / 20));
    expect(table.keys).toBe(50_000);
    table.close();
  });

  test("keeps one bucket per key and frees drained ones, however often the policy changes", async () => {
    vi.useFakeTimers({ toFake: [] });
    const clock = new ManualClock();
    const table = new BucketTable(1000, clock);
    const policies = Array.from({ length: 12 }, (_, i) => definePolicy({ rate: i + 1, period: 1, burst: 100 }));
    for (const policy of policies) for (let i = 0; i < 20; i++) table.take(scopeOf(policy), `key:${i}`, 1);
    expect(table.keys).toBe(20);
    clock.advance(2 * 86_400_000);
    while (!table.sweep(100));
    expect(table.keys).toBe(0);
    await turn();
    vi.useRealTimers();
    table.close();
  });
});
