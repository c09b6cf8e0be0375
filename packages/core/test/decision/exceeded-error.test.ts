import { inspect } from "node:util";
import { defineConfig, ManualClock, RateLimitError, RateLimitExceeded, RateLimiter, type RateLimitResult } from "@ratelimit/core";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { tableBackend } from "../support/backends.ts";
import { caught } from "../support/caught.ts";

const now = 1_795_521_600;
beforeEach(() => {
  vi.spyOn(Date, "now").mockReturnValue(now * 1000);
});
afterEach(() => {
  vi.restoreAllMocks();
});

async function refusal(cost: number = 1): Promise<RateLimitResult> {
  const limiter = new RateLimiter({ config: defineConfig({ rate: 100, burst: 150 }), backend: tableBackend(new ManualClock()) });
  await limiter.check("key", { cost: 150 });
  return limiter.check("key", { cost });
}

describe("RateLimitExceeded", () => {
  test("is answered as a 429 by Express, Fastify and Koa", async () => {
    const result = await refusal();
    const error = new RateLimitExceeded(result, { key: "user:1" });
    expect(error).toBeInstanceOf(RateLimitError);
    expect(error).toMatchObject({ name: "RateLimitExceeded", code: "EXCEEDED", status: 429, statusCode: 429, expose: true, result });
    expect(error.headers).toEqual({
      "X-RateLimit-Limit": "100",
      "X-RateLimit-Remaining": "0",
      "X-RateLimit-Reset": String(now + 90),
      "Retry-After": "1",
      "Cache-Control": "no-store",
    });
  });

  test("is a 403 without quota headers if waiting would not help", async () => {
    const error = new RateLimitExceeded(await refusal(151));
    expect(error).toMatchObject({ status: 403, statusCode: 403 });
    expect(error.headers).toEqual({ "Cache-Control": "no-store" });
    expect(error.message).toBe("Rate limit exceeded: this costs more than the limit ever allows");
  });

  test.each([
    [0, "retry in 1 second"],
    [0.001, "retry in 1 second"],
    [1, "retry in 1 second"],
    [1.001, "retry in 2 seconds"],
    [59.5, "retry in 60 seconds"],
  ])("rounds a wait of %d s up: %s", (retryAfter, advice) => {
    const error = new RateLimitExceeded({ limit: 5, retryAfter });
    expect(error.message).toBe(`Rate limit exceeded: ${advice}`);
    expect(error.headers["Retry-After"]).toBe(/\d+/.exec(advice)?.[0]);
  });

  test("exposes the key to your own code, and shows it nowhere", async () => {
    const error = new RateLimitExceeded(await refusal(), { key: "user:secret" });
    expect(error.key).toBe("user:secret");
    for (const shown of [
      error.message,
      String(error),
      error.stack,
      JSON.stringify(error),
      inspect(error, { depth: 9 }),
      Object.keys(error).join(),
    ])
      expect(shown).not.toContain("secret");
    expect({ ...error }).not.toHaveProperty("key");
    expect("key" in new RateLimitExceeded(await refusal())).toBe(false);
  });
});

describe("RateLimitExceeded fills in missing fields", () => {
  const filled = {
    allowed: false,
    limit: 10,
    burst: 10,
    remaining: 0,
    retryAfter: 2.5,
    resetAfter: 2.5,
    resetAt: now + 2.5,
    tightest: "default",
    limits: [],
    cost: 1,
    source: "backend",
    degraded: false,
  };

  test.each([
    [{ limit: 10, retryAfter: 2.5 }, filled],
    [{ limit: 10, retryAfter: 2.5, remaining: undefined, resetAt: undefined }, filled],
    [
      { limit: 10, retryAfter: 2.5, remaining: 3, resetAt: now + 60 },
      { ...filled, remaining: 3, resetAt: now + 60, resetAfter: 60 },
    ],
    [
      { limit: 10, retryAfter: 0, resetAt: now - 5 },
      { ...filled, retryAfter: 0, resetAt: now - 5, resetAfter: 0 },
    ],
    [
      { limit: 10, retryAfter: Number.POSITIVE_INFINITY },
      { ...filled, retryAfter: Number.POSITIVE_INFINITY, resetAt: now, resetAfter: 0 },
    ],
  ])("%j", (refusal, result) => {
    expect(new RateLimitExceeded(refusal).result).toEqual(result);
  });

  test.each<[unknown, string]>([
    [undefined, "Expected `refusal` to be the result of a check, got undefined"],
    [null, "Expected `refusal` to be the result of a check, got null"],
    ["limit", 'Expected `refusal` to be the result of a check, got "limit"'],
    [{}, "Expected `limit` to be a number of at least 0, got undefined"],
    [{ limit: 10 }, "Expected `retryAfter` to be a number of at least 0, got undefined"],
    [{ limit: "10", retryAfter: 1 }, 'Expected `limit` to be a number of at least 0, got "10"'],
    [{ limit: Number.POSITIVE_INFINITY, retryAfter: 1 }, "Expected `limit` to be a number of at least 0, got Infinity"],
    [{ limit: 10, retryAfter: -1 }, "Expected `retryAfter` to be a number of at least 0, got -1"],
    [{ limit: 10, retryAfter: Number.NaN }, "Expected `retryAfter` to be a number of at least 0, got NaN"],
    [{ limit: 10, retryAfter: 1, remaining: -1 }, "Expected `remaining` to be a number of at least 0, got -1"],
    [{ limit: 10, retryAfter: 1, resetAt: new Date() }, "Expected `resetAt` to be a number of at least 0, got an object"],
  ])("but rejects %j", (refusal, message) => {
    const error = caught(() => new RateLimitExceeded(refusal as never));
    expect([error.code, error.message]).toEqual(["INVALID_OPTION", expect.stringContaining(message)]);
  });
});

test.each([
  [new RateLimitError("BACKEND", "out"), { code: "BACKEND", status: 503, name: "RateLimitError" }, ["keyOnly", "cause"]],
  [new RateLimitError("BACKEND", "out", { keyOnly: true, cause: "why" }), { status: 503, keyOnly: true, cause: "why" }, []],
  [new RateLimitError("INVALID_KEY", "bad"), { code: "INVALID_KEY", message: "bad" }, ["status", "keyOnly", "cause"]],
])("%s has the fields that its code implies", (error, fields, absent) => {
  expect(error).toMatchObject(fields);
  for (const field of absent) expect(field in error).toBe(false);
});
