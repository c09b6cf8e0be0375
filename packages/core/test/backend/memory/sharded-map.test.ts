import { createHash, randomUUID } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ShardedMap } from "../../../src/backend/memory/sharded-map.ts";

const many = 50_000;

/** Any string of UTF-16 units, paired or not. fast-check generates it faster than its own unit "binary". */
const anyKey = fc.array(fc.nat(0xffff), { minLength: 1, maxLength: 10 }).map((units) => String.fromCharCode(...units));

function filled(keys: readonly string[]): ShardedMap {
  const buckets = new ShardedMap();
  keys.forEach((key, i) => void buckets.shardOf(key).set(key, i));
  return buckets;
}

describe("a sharded map", () => {
  test("finds every key, before and after it splits into shards", () => {
    fc.assert(
      fc.property(fc.uniqueArray(anyKey, { minLength: 50, maxLength: 100 }), (some) => {
        const keys = [...some, ...Array.from({ length: 16_400 }, (_, i) => `filler ${i}`)];
        const buckets = filled(keys);
        expect(buckets.shards).toHaveLength(32);
        expect(buckets.shards.reduce((sum, { size }) => sum + size, 0)).toBe(keys.length);
        expect(keys.filter((key, i) => buckets.shardOf(key).get(key) !== i)).toEqual([]);
      }),
      { numRuns: 10 },
    );
  });

  test("keeps a few keys in one shard", () => {
    expect(filled(Array.from({ length: 16_384 }, (_, i) => `user:${i}`)).shards).toHaveLength(1);
  });

  test.each<[string, (i: number) => string]>([
    ["consecutive user ids", (i) => `user:${i}`],
    ["user ids with leading zeros", (i) => `user:${String(i).padStart(10, "0")}`],
    ["IPv4 addresses", (i) => `ip:203.${i >> 16}.${(i >> 8) & 255}.${i & 255}`],
    ["IPv6 networks", (i) => `ip:2001:db8:${(i >> 8).toString(16)}:${(i & 255).toString(16)}::/64`],
    ["UUIDs", () => `user:${randomUUID()}`],
    ["keys with a common suffix", (i) => `${i}:GET:/api/v1/accounts/statements`],
    ["keys that differ only in the middle", (i) => `tenant:${"x".repeat(20)}${i}${"y".repeat(40)}`],
    ["digests", (i) => `apikey:${createHash("sha256").update(String(i)).digest("hex")}`],
  ])("spreads %s evenly: no shard has twice its share", (_, keyOf) => {
    const { shards } = filled(Array.from({ length: many }, (_, i) => keyOf(i)));
    expect(Math.max(...shards.map(({ size }) => size))).toBeLessThan((2 * many) / shards.length);
  });
});
