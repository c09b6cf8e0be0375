import { describe, expect, test } from "vitest";
import { attacking } from "./support/attacked.ts";

const attack = attacking();

describe("a process with the memory backend", () => {
  test("survives a million keys with maxKeys 100,000 in 60 MB of extra memory, and a blocked key stays blocked", {
    timeout: 180_000,
  }, async () => {
    const { grownMb, unblocked, keys } = await attack("spray", 1_000_000);
    expect(grownMb).toBeLessThanOrEqual(60);
    expect(unblocked).toBe(0);
    expect(keys).toBe(100_000);
  });

  test("frees a million keys without delaying any call", { timeout: 180_000 }, async () => {
    const { keys, p99 } = await attack("sweep");
    expect(keys).toBeGreaterThan(900_000);
    // Other tests share the machine, and the system lets a process wait for them for up to 10 ms. All keys at once would take 300.
    expect(p99).toBeLessThan(20);
  });

  test("does not retain a long string because a key was sliced from it", { timeout: 60_000 }, async () => {
    const { bytesPerKey, keys } = await attack("slices", 20_000);
    expect(keys).toBe(20_000);
    expect(bytesPerKey).toBeLessThan(200);
  });

  test("does not retain a request, not even the one that set the timer", { timeout: 60_000 }, async () => {
    expect(await attack("context")).toEqual({ keys: 2, kept: 0 });
  });

  test("ends by itself", { timeout: 60_000 }, async () => {
    const start = performance.now();
    await attack("exit");
    expect(performance.now() - start).toBeLessThan(20_000);
  });
});
