import { ManualClock, RateLimiter, type RateLimitResult } from "@ratelimit/core";
import type { DecisionSource } from "@ratelimit/core/backend";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { tableBackend } from "../support/backends.ts";

beforeEach(() => {
  vi.spyOn(Date, "now").mockReturnValue(1_795_521_600_000);
});
afterEach(() => {
  vi.restoreAllMocks();
});

async function resultOf(cost: number): Promise<RateLimitResult> {
  return new RateLimiter({ rate: 100, period: "1m", burst: 150, name: "api", backend: tableBackend(new ManualClock()) }).check("key", {
    cost,
  });
}

const fields = {
  allowed: true,
  limit: 100,
  burst: 150,
  remaining: 149,
  retryAfter: 0,
  resetAfter: 0.6,
  resetAt: 1_795_521_600.6,
  tightest: "api",
  limits: [{ name: "api", limit: 100, burst: 150, remaining: 149, retryAfter: 0, resetAfter: 0.6, used: 600 }],
  cost: 1,
  source: "backend",
  degraded: false,
};

describe("a result", () => {
  test("has all of these fields, with times in seconds", async () => {
    expect(await resultOf(1)).toEqual(fields);
  });

  test("includes every field when spread or serialized as JSON", async () => {
    const result = await resultOf(1);
    expect({ ...result }).toEqual(fields);
    expect(JSON.parse(JSON.stringify(result))).toEqual(fields);
  });

  test("has a read-only type", async () => {
    const write = (result: RateLimitResult, limit: RateLimitResult["limits"][number]): void => {
      // @ts-expect-error: read only
      result.allowed = false;
      // @ts-expect-error: read only
      result.limits[0] = limit;
      // @ts-expect-error: read only
      limit.remaining = 5;
    };
    expect(write).toBeTypeOf("function");
  });

  test("counts resetAt from its decision, even if it is read later", async () => {
    const result = await resultOf(1);
    vi.spyOn(Date, "now").mockReturnValue(1_795_521_900_000);
    expect(result.resetAt).toBe(1_795_521_600.6);
  });
});

describe("the result of each source", () => {
  const unseen = { limits: [], degraded: true, tightest: "api", limit: 100, burst: 150, cost: 1 };

  test.each<[DecisionSource | undefined, boolean, object]>([
    [undefined, true, { source: "backend", degraded: false, remaining: 149 }],
    ["backend", true, { source: "backend", degraded: false, remaining: 149 }],
    ["deny-cache", false, { source: "deny-cache", degraded: false, allowed: false }],
    ["local", true, { source: "local", degraded: true, remaining: 149 }],
    ["open", true, { source: "open", ...unseen, allowed: true, remaining: 150, retryAfter: 0, resetAfter: 0, resetAt: 1_795_521_600 }],
    ["closed", false, { source: "closed", ...unseen, allowed: false, remaining: 0, retryAfter: 1, resetAfter: 1, resetAt: 1_795_521_601 }],
  ])("%s", async (source, allowed, figures) => {
    const answer = { allowed, used: 600, ...(source && { source }) };
    const backend = { take: () => answer, adjust: () => answer, block: () => {}, reset: () => {}, close: () => {} };
    const limiter = new RateLimiter({ rate: 100, period: "1m", burst: 150, name: "api", backend });
    for (const result of [await limiter.check("key"), limiter.checkSync("key"), await limiter.peek("key")]) {
      const peeked = source === "deny-cache" && result.allowed ? { ...figures, allowed: true } : figures;
      expect(result).toMatchObject(peeked);
    }
  });
});
