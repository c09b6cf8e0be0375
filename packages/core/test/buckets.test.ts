import { createHash, randomUUID } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Buckets } from "../src/buckets.ts";

const many = 50_000;

function filled(keys: readonly string[]): Buckets {
  const buckets = new Buckets();
  keys.forEach((key, i) => void buckets.partOf(key).set(key, i));
  return buckets;
}

describe("buckets in parts", () => {
  test("are found again, whatever the keys, before and after they were spread", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ minLength: 1, unit: "binary" }), { minLength: 50, maxLength: 100 }), (some) => {
        const keys = [...some, ...Array.from({ length: 4100 }, (_, i) => `filler ${i}`)];
        const buckets = filled(keys);
        expect(buckets.parts).toHaveLength(16);
        expect(buckets.parts.reduce((sum, { size }) => sum + size, 0)).toBe(keys.length);
        keys.forEach((key, i) => void expect(buckets.partOf(key).get(key)).toBe(i));
      }),
      { numRuns: 10 },
    );
  });

  test("of few keys are one part", () => {
    expect(filled(Array.from({ length: 4096 }, (_, i) => `user:${i}`)).parts).toHaveLength(1);
  });

  test.each<[string, (i: number) => string]>([
    ["users that are counted up", (i) => `user:${i}`],
    ["users with leading zeros", (i) => `user:${String(i).padStart(10, "0")}`],
    ["IPv4 addresses", (i) => `ip:203.${i >> 16}.${(i >> 8) & 255}.${i & 255}`],
    ["IPv6 networks", (i) => `ip:2001:db8:${(i >> 8).toString(16)}:${(i & 255).toString(16)}::/64`],
    ["UUIDs", () => `user:${randomUUID()}`],
    ["digests", (i) => `apikey:${createHash("sha256").update(String(i)).digest("hex")}`],
  ])("of %s are spread alike: no part holds twice its share", (_, keyOf) => {
    const { parts } = filled(Array.from({ length: many }, (_, i) => keyOf(i)));
    expect(Math.max(...parts.map(({ size }) => size))).toBeLessThan((2 * many) / parts.length);
  });
});
