import { setTimeout as sleep } from "node:timers/promises";
import { ManualClock, RateLimiter } from "@ratelimit/core";
import { BucketTable } from "@ratelimit/core/backend";
import { afterEach, expect, test, vi } from "vitest";
import { processClock } from "../src/clock.ts";

afterEach(() => void vi.useRealTimers());

test.each([0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, "5", null])("a table of %s buckets is rejected", (maxKeys) => {
  expect(() => new BucketTable(maxKeys as number, new ManualClock())).toThrow(/^Expected `maxKeys` to be a positive integer/);
});

test("a table whose clock does not return a number is rejected", () => {
  expect(() => new BucketTable(5, { now: () => Number.NaN })).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
});

test("buckets created under fake timers are freed after the timers are restored", async () => {
  vi.useFakeTimers();
  const table = new BucketTable(10, processClock);
  new RateLimiter({ rate: 1, period: "10ms", backend: table }).checkSync("key");
  vi.useRealTimers();
  expect(table.keys).toBe(1);
  for (let tries = 0; tries < 100 && table.keys > 0; tries++) await sleep(50);
  expect(table.keys).toBe(0);
});
