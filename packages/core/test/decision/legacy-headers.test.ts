import { RateLimiter, type RateLimitResult } from "@ratelimit/core";
import type { BackendReply } from "@ratelimit/core/backend";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { exposedHeaders, headerFields, rateLimitHeaders } from "../../src/decision/headers.ts";

/** 2026-11-24T12:00:00Z */
const now = 1_795_521_600;
beforeEach(() => {
  vi.spyOn(Date, "now").mockReturnValue(now * 1000);
});
afterEach(() => {
  vi.restoreAllMocks();
});

const burst = { name: "burst", rate: 100, period: 60, burst: 150 } as const;
const daily = { name: "daily", rate: 10_000, period: "1d" } as const;
/** Units per token. */
const [aBurst, aDaily] = [600, 8640];

/** Returns the headers of a check that the backend answers with `take`. */
function fieldsOf(
  limits: readonly [typeof burst] | readonly [typeof burst, typeof daily],
  take: BackendReply,
  cost: number = 1,
): Record<string, string> {
  const backend = { take: () => take, adjust: () => take, block: () => {}, reset: () => {}, close: () => {} };
  const limiter = new RateLimiter({ limits, name: "api", backend });
  return rateLimitHeaders(limiter.checkSync("key", { cost }), limiter.policy);
}

function fields(limit: number, remaining: number, reset: number, retryAfter?: number): Record<string, string> {
  return {
    "X-RateLimit-Limit": String(limit),
    "X-RateLimit-Remaining": String(remaining),
    "X-RateLimit-Reset": String(reset),
    ...(retryAfter !== undefined && { "Retry-After": String(retryAfter) }),
  };
}

describe("100 per minute with a burst of 150", () => {
  test.each([
    // what, allowed, used, cost: limit, remaining, reset, retry after
    { what: "the first request", allowed: true, used: aBurst, cost: 1, expected: fields(100, 100, now + 1) },
    { what: "50 left", allowed: true, used: 100 * aBurst, cost: 1, expected: fields(100, 50, now + 60) },
    { what: "100.5 left", allowed: true, used: 49.5 * aBurst, cost: 1, expected: fields(100, 100, now + 30) },
    { what: "the last token", allowed: true, used: 150 * aBurst, cost: 1, expected: fields(100, 0, now + 90) },
    { what: "a peek at a full bucket", allowed: true, used: 0, cost: 0, expected: fields(100, 100, now) },
    { what: "a refusal", allowed: false, used: 150 * aBurst, cost: 1, expected: fields(100, 0, now + 90, 1) },
    { what: "a refusal for a millisecond", allowed: false, used: 149 * aBurst + 1, cost: 1, expected: fields(100, 0, now + 90, 1) },
    {
      what: "a refusal for slightly more than a second",
      allowed: false,
      used: 150 * aBurst,
      cost: 2,
      expected: fields(100, 0, now + 90, 2),
    },
    { what: "a refusal with tokens left", allowed: false, used: 100 * aBurst, cost: 150, expected: fields(100, 50, now + 60, 60) },
    { what: "a refusal in debt", allowed: false, used: 300 * aBurst, cost: 1, expected: fields(100, 0, now + 180, 91) },
    { what: "a cost above the burst", allowed: false, used: 0, cost: 151, expected: fields(100, 100, now) },
  ])("$what", ({ allowed, used, cost, expected }) => {
    expect(fieldsOf([burst], { allowed, used }, cost)).toEqual(expected);
  });
});

describe("100 per minute with a burst of 150, and 10,000 per day", () => {
  test.each([
    { what: "the first request", allowed: true, used: [aBurst, aDaily], expected: fields(100, 100, now + 1) },
    { what: "the daily limit nearly used up", allowed: true, used: [aBurst, 9990 * aDaily], expected: fields(10_000, 10, now + 86_314) },
    {
      what: "refused by the daily limit",
      allowed: false,
      used: [69.5 * aBurst, 9999.75 * aDaily],
      expected: fields(10_000, 0, 1_795_607_998, 7),
    },
    { what: "refused by both", allowed: false, used: [150 * aBurst, 10_000 * aDaily], expected: fields(10_000, 0, now + 86_400, 9) },
  ])("$what", ({ allowed, used, expected }) => {
    expect(fieldsOf([burst, daily], { allowed, used })).toEqual(expected);
  });
});

describe("during an outage", () => {
  test.each([
    { what: "open mode admits without headers", take: { allowed: true, used: 0, source: "open" }, expected: {} },
    { what: "closed mode sends only Retry-After", take: { allowed: false, used: 0, source: "closed" }, expected: { "Retry-After": "1" } },
    { what: "local mode sends its own count", take: { allowed: true, used: aBurst, source: "local" }, expected: fields(100, 100, now + 1) },
  ] as const)("$what", ({ take, expected }) => {
    expect(fieldsOf([burst], take)).toEqual(expected);
  });
});

describe("of several decisions for a request", () => {
  function decision(remaining: number, retryAfter: number, limit: number): { result: RateLimitResult } {
    const rest = {
      burst: limit,
      resetAfter: 5,
      resetAt: now + 5,
      tightest: "a",
      limits: [],
      cost: 1,
      source: "backend",
      degraded: false,
    } as const;
    return { result: { allowed: retryAfter === 0, limit, remaining, retryAfter, ...rest } };
  }

  test.each([
    {
      what: "the one with the least left wins",
      decisions: [decision(5, 0, 10), decision(3, 0, 20), decision(4, 0, 30)],
      expected: fields(20, 3, now + 5),
    },
    { what: "the first wins a tie", decisions: [decision(3, 0, 10), decision(3, 0, 20)], expected: fields(10, 3, now + 5) },
    { what: "a refusal wins", decisions: [decision(0, 0, 10), decision(7, 2, 20)], expected: fields(20, 7, now + 5, 2) },
    {
      what: "the longest wait wins",
      decisions: [decision(0, 2, 10), decision(0, 9, 20), decision(0, 3, 30)],
      expected: fields(20, 0, now + 5, 9),
    },
    {
      what: "a refusal without an end wins over any wait",
      decisions: [decision(0, 2, 10), decision(9, Number.POSITIVE_INFINITY, 20)],
      expected: fields(20, 9, now + 5),
    },
  ])("$what", ({ decisions, expected }) => {
    expect(headerFields.legacy(decisions)).toEqual(expected);
  });
});

test("these are exactly the headers exposed to browsers", () => {
  expect(Object.keys(fieldsOf([burst], { allowed: false, used: 150 * aBurst }))).toEqual(exposedHeaders.legacy);
});
