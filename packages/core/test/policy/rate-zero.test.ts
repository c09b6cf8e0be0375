import { type Backend, ManualClock, RateLimiter, resilient } from "@ratelimit/core";
import { type HeaderMode, rateLimitHeaders } from "@ratelimit/core/http";
import { describe, expect, test } from "vitest";
import { createGuard } from "../http/recorded-exchange.ts";
import { tableBackend } from "../support/backends.ts";
import { rejected } from "../support/caught.ts";

const never = { allowed: false, limit: 0, burst: 0, remaining: 0, retryAfter: Number.POSITIVE_INFINITY } as const;

describe("a policy with rate 0", () => {
  const limiterOf = (backend: Backend = tableBackend()): RateLimiter => new RateLimiter({ rate: 0, name: "closed", backend });

  test("refuses every call forever", async () => {
    const clock = new ManualClock();
    const limiter = new RateLimiter({ rate: 0, backend: tableBackend(clock) });
    for (const ms of [0, 1, 1e9]) {
      clock.advance(ms);
      expect(limiter.checkSync("key")).toMatchObject({ ...never, resetAfter: 0 });
      expect(await limiter.peek("key")).toMatchObject(never);
    }
    expect(await rejected(limiter.enforce("key"))).toMatchObject({
      code: "EXCEEDED",
      message: "Rate limit exceeded: this costs more than the limit ever allows",
    });
    expect(limiter.checkSync("key", { cost: 0 }).allowed).toBe(true);
  });

  test("rejects a wait immediately, and rejects waiting calls when it arrives in an update", async () => {
    expect((await rejected(limiterOf().wait("key"))).code).toBe("EXCEEDED");
    const limiter = new RateLimiter({ rate: 1, period: "1h", backend: tableBackend() });
    await limiter.check("key");
    const waits = [limiter.wait("key"), limiter.wait("key")];
    limiter.update({ rate: 0 });
    for (const wait of waits) expect((await rejected(wait)).code).toBe("EXCEEDED");
  });

  test("can be charged and refunded without figures becoming NaN", async () => {
    const limiter = limiterOf();
    expect(await limiter.charge("key", 5)).toMatchObject({ remaining: 0, resetAfter: 0, uncharged: 5 });
    expect(await limiter.refund("key", 5)).toMatchObject({ remaining: 0, resetAfter: 0 });
  });

  test.each(["open", "local", "closed"] as const)("refuses even in an outage with mode %j", async (outage) => {
    const down = { ...limitless, take: () => Promise.reject(new Error("down")) };
    await using backend = resilient(down, { outage, instances: 4, onOutage: () => {} });
    const result = await limiterOf(backend).check("key");
    expect(result).toMatchObject({ allowed: false, remaining: 0, degraded: true });
    if (outage !== "closed") expect(result.retryAfter).toBe(Number.POSITIVE_INFINITY);
  });

  test.each<HeaderMode>(["legacy", "draft-6", "draft-7", "draft-8"])(
    "sends only valid numbers in %s headers, and no Retry-After",
    async (mode) => {
      const limiter = limiterOf();
      const headers = rateLimitHeaders(await limiter.check("key"), limiter.policy, mode);
      expect(Object.keys(headers)).not.toContain("Retry-After");
      expect(Object.values(headers).join()).not.toMatch(/NaN|Infinity|undefined|-\d/);
    },
  );

  test("makes a middleware refuse every request, whatever its cost", () => {
    const guard = createGuard({ rate: 0, cost: 5 }, () => request, tableBackend);
    expect(guard({})).toMatchObject({ kind: "refuse", status: 403 });
  });

  test("can be reopened with an update", async () => {
    const limiter = limiterOf();
    await limiter.check("key");
    limiter.update({ rate: 10 });
    expect((await limiter.check("key")).allowed).toBe(true);
  });
});

/** A backend without buckets. */
const limitless: Backend = {
  take: () => ({ allowed: true, used: 0 }),
  adjust: () => ({ allowed: true, used: 0 }),
  block: () => {},
  reset: () => {},
  close: () => {},
};

const request = {
  method: "GET",
  url: "/",
  ip: "1.2.3.4",
  socketAddress: "1.2.3.4",
  header: () => undefined,
};
