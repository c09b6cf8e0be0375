import { definePolicy } from "@ratelimit/core";
import { expect, test } from "vitest";
import { KeyLease } from "../../src/lease/key-lease.ts";
import { LeaseTable } from "../../src/lease/lease-table.ts";

const scope = { prefix: "api:", policy: definePolicy({ rate: 1000, period: 1, lease: "50ms" }) };

function lease(key: string): KeyLease {
  return new KeyLease(scope, key, { horizonMs: 50, validMs: 100 }, 0);
}

test("forgets keys that are merely watched when there are too many, and never one with tokens in hand", () => {
  const table = new LeaseTable();
  const busy = lease("busy");
  busy.granted({ tokens: 5, generation: 1, used: [0], held: [0], blockedMs: 0 }, 0, 0);
  table.add(busy);
  let found = 0;
  for (let i = 0; i < 100_000; i++) table.add(lease(`key ${i}`));
  for (let i = 0; i < 100_000; i++) if (table.find(scope, `key ${i}`) !== undefined) found++;
  expect(table.find(scope, "busy")).toBe(busy);
  // Looking for a key keeps it, so no more than two generations of 10,000 are ever found.
  expect(found).toBeLessThanOrEqual(20_001);
});

test("keeps a key that is used again and again", () => {
  const table = new LeaseTable();
  const often = lease("often");
  table.add(often);
  for (let i = 0; i < 100_000; i++) {
    table.add(lease(`key ${i}`));
    if (i % 1000 === 0) expect(table.find(scope, "often")).toBe(often);
  }
});
