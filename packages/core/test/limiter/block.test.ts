import { type Duration, ManualClock, type PolicyOptions, RateLimiter, type SyncBackend } from "@ratelimit/core";
import { describe, expect, test } from "vitest";
import { processClock } from "../../src/clock.ts";
import { LateBackend, tableBackend } from "../support/backends.ts";
import { rejected } from "../support/caught.ts";

function limiterOf(policy: PolicyOptions): { limiter: RateLimiter<SyncBackend>; clock: ManualClock } {
  const clock = new ManualClock();
  return { limiter: new RateLimiter({ ...policy, backend: tableBackend(clock) }), clock };
}

describe("block", () => {
  test.each<[Duration, number]>([
    [90, 90_000],
    [0.25, 250],
    ["250ms", 250],
    ["10m", 600_000],
  ])("refuses a key for %j, and only that key", async (duration, ms) => {
    const { limiter, clock } = limiterOf({ rate: 10, period: 1 });
    await limiter.block("key", duration);
    expect(limiter.checkSync("key")).toMatchObject({ allowed: false, remaining: 0, retryAfter: ms / 1000 });
    expect(limiter.checkSync("other").allowed).toBe(true);
    clock.advance(ms - 1);
    expect(await limiter.peek("key")).toMatchObject({ allowed: false, retryAfter: 0.001 });
    clock.advance(1);
    expect(limiter.checkSync("key")).toMatchObject({ allowed: true, remaining: 9 });
  });

  test("ends with a reset", async () => {
    const { limiter } = limiterOf({ rate: 10, period: 1 });
    await limiter.block("key", "1d");
    await limiter.reset("key");
    expect(limiter.checkSync("key").allowed).toBe(true);
  });

  test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, 0.0001, "10", "", "1 m", null, undefined, 10n, true, {}])(
    "refuses a duration of %o without asking the backend",
    async (duration) => {
      const backend = new LateBackend();
      const error = await rejected(new RateLimiter({ rate: 1, backend }).block("key", duration as never));
      expect(error.code).toBe("INVALID_OPTION");
      expect(error.message).toMatch(
        /^Expected `duration` to be seconds, or a string such as "1m", of whole milliseconds above 0, got .*: pass 60, or "1m"$/,
      );
      expect(backend.asked).toEqual([]);
    },
  );

  test("needs a valid key and an open limiter", async () => {
    const { limiter } = limiterOf({ rate: 10 });
    expect((await rejected(limiter.block("", 1))).code).toBe("INVALID_KEY");
    await limiter.close();
    expect((await rejected(limiter.block("key", 1))).message).toContain("This limiter is closed");
  });

  test("rejects a waiting call whose maxWait is now too short", async () => {
    const { limiter } = limiterOf({ rate: 10, period: 1 });
    limiter.checkSync("key", { cost: 10 });
    const wait = limiter.wait("key", { maxWait: "2s" });
    await limiter.block("key", 10);
    expect((await rejected(wait)).code).toBe("WAIT_TIMEOUT");
  });
});

describe("a policy with a block", () => {
  test("refuses for the block's duration from the first refusal", () => {
    const { limiter, clock } = limiterOf({ rate: 10, period: 1, block: "1m" });
    limiter.checkSync("key", { cost: 10 });
    expect(limiter.checkSync("key")).toMatchObject({ allowed: false, retryAfter: 60 });
    clock.advance(59_000);
    expect(limiter.checkSync("key")).toMatchObject({ allowed: false, retryAfter: 1 });
    clock.advance(1000);
    expect(limiter.checkSync("key").allowed).toBe(true);
  });

  test("lets calls wait their turn without blocking the key", async () => {
    const limiter = new RateLimiter({ rate: 50, period: 1, burst: 1, block: "1h", backend: tableBackend(processClock) });
    const start = performance.now();
    await Promise.all([limiter.wait("key"), limiter.wait("key"), limiter.wait("key")]);
    expect(performance.now() - start).toBeGreaterThan(35);
    expect((await limiter.peek("key")).retryAfter).toBeLessThan(1);
    expect((await rejected(limiter.wait("key", { cost: 2 }))).code).toBe("EXCEEDED");
    expect((await limiter.peek("key")).retryAfter).toBeLessThan(1);
  });
});
