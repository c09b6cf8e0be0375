import { expect, test } from "vitest";
import { attacking } from "../test/support/attacked.ts";

const attack = attacking();

test("a process survives ten million keys with maxKeys 100,000 in 60 MB of extra memory, and a blocked key stays blocked", {
  timeout: 300_000,
}, async () => {
  const { grownMb, unblocked, keys } = await attack("spray", 10_000_000);
  expect(grownMb).toBeLessThanOrEqual(60);
  expect(unblocked).toBe(0);
  expect(keys).toBe(100_000);
});
