import { setTimeout as sleep } from "node:timers/promises";
import { RateLimiter, resilient } from "@ratelimit/core";
import { BucketTable } from "@ratelimit/core/backend";
import { afterEach, describe, expect, test, vi } from "vitest";
import { processClock } from "../src/clock.ts";
import { LateBackend } from "./support/backends.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** A backend that answers only while it is not silent. */
class SilentBackend extends LateBackend {
  isSilent = false;

  override take(...call: Parameters<LateBackend["take"]>): ReturnType<LateBackend["take"]> {
    return this.isSilent ? new Promise(() => {}) : super.take(...call);
  }
}

// Fake timers in a user's tests never fire, and the fake clock stands still.
test.each([["under fake timers"], ["with fake timers installed and removed"]])("%s, an outage and its end are noticed", async (when) => {
  const silent = new SilentBackend();
  await using backend = resilient(silent, { timeout: "60ms", onOutage: () => {} });
  const limiter = new RateLimiter({ rate: 1000, backend });
  vi.useFakeTimers();
  expect(await limiter.check("key")).toMatchObject({ source: "backend", remaining: 999 });
  if (when !== "under fake timers") vi.useRealTimers();

  silent.isSilent = true;
  let calls = 0;
  for (const end = processClock.now() + 900; processClock.now() < end; await sleep(5), calls++)
    expect((await limiter.check("key")).source).toBe("local");
  expect(calls).toBeGreaterThan(20); // the breaker is open, so most calls did not wait

  silent.isSilent = false;
  let source = "local";
  for (let tries = 0; tries < 100 && source === "local"; tries++) {
    await sleep(20); // in real time, because vitest's own waiting helpers advance fake timers
    ({ source } = await limiter.check("key"));
  }
  expect(source).toBe("backend");
});

test("under fake timers, a wait ends by itself", async () => {
  const limiter = new RateLimiter({ rate: 1, period: "50ms", backend: new BucketTable(10, processClock) });
  limiter.checkSync("key");
  vi.useFakeTimers();
  expect((await limiter.wait("key")).allowed).toBe(true);
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

describe("the process clock keeps running", () => {
  const replaced: [string, () => void][] = [
    ["the global clocks are replaced", () => void vi.useFakeTimers({ toFake: ["Date", "performance", "hrtime"] })],
    ["performance.now is replaced", () => void vi.spyOn(performance, "now").mockReturnValue(5)],
    ["process.hrtime is replaced", () => void vi.spyOn(process, "hrtime").mockReturnValue([5, 0])],
  ];

  test.each(replaced)("when %s", async (_, replace) => {
    replace();
    const before = processClock.now();
    await sleep(5);
    expect(processClock.now() - before).toBeGreaterThan(3);
  });

  test.each(replaced)("when it is first loaded after %s", async (_, replace) => {
    replace();
    vi.resetModules();
    const { processClock: loaded } = await import("../src/clock.ts");
    expect(Math.abs(loaded.now() - processClock.now())).toBeLessThan(10);
  });
});
