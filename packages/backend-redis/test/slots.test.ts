import fc from "fast-check";
import { Redis } from "ioredis";
import { expect, inject, test } from "vitest";
import { slotOf } from "../src/slots.ts";

test("a key's slot is the one that Redis reports, whatever its characters and tags", async () => {
  const [address] = inject("redis").cluster;
  const client = new Redis(address as { host: string; port: number });
  const key = fc.oneof(
    fc.string({ minLength: 1, unit: "grapheme-ascii" }),
    fc.string({ minLength: 1, unit: "grapheme" }),
    fc.string({ unit: fc.constantFrom("{", "}", "a", "é") }),
  );
  try {
    await fc.assert(
      fc.asyncProperty(key, async (key) => {
        expect(slotOf(key)).toBe(await client.cluster("KEYSLOT", key));
      }),
      { numRuns: 500 },
    );
  } finally {
    client.disconnect();
  }
});
