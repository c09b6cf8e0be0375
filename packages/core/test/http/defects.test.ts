import { definePolicy, ManualClock, RateLimiter, type SyncBackend } from "@ratelimit/core";
import { BucketTable } from "@ratelimit/core/backend";
import { clientIp } from "@ratelimit/core/http";
import { describe, expect, test } from "vitest";
import { LateBackend } from "../support/backends.ts";
import { caught } from "../support/caught.ts";

/**
 * Tests for every defect listed in http.md, as it would show in this limiter.
 *
 * Those on the wire are in httpSuite. Those that need Redis (down at boot, an ambiguous error, a key without an expiry) are in its backend.
 */
describe("defects shipped by others", () => {
  function limited(
    options: { rate: number; period?: number | "30d"; burst?: number },
    maxKeys: number = 1000,
  ): { limiter: RateLimiter<SyncBackend>; clock: ManualClock } {
    const clock = new ManualClock();
    return { limiter: new RateLimiter({ ...options, backend: new BucketTable(maxKeys, clock) }), clock };
  }

  test("a window of 0.5 s never ends", () => {
    const { limiter, clock } = limited({ rate: 1, period: 0.5 });
    limiter.checkSync("a");
    clock.advance(499);
    expect(limiter.checkSync("a").allowed).toBe(false);
    clock.advance(1);
    expect(limiter.checkSync("a").allowed).toBe(true);
  });

  test("a window of 30 days admits everything", () => {
    const { limiter, clock } = limited({ rate: 2, period: "30d" });
    expect([1, 2, 3].map(() => limiter.checkSync("a").allowed)).toEqual([true, true, false]);
    clock.advance(15 * 86_400_000 - 1);
    expect(limiter.checkSync("a").allowed).toBe(false);
    clock.advance(1);
    expect(limiter.checkSync("a").allowed).toBe(true);
  });

  test("a limit of NaN means no limit", () => {
    for (const rate of [Number.NaN, Number("abc"), Number(undefined)])
      expect(caught(() => definePolicy({ rate })).message).toContain("got NaN");
  });

  test("a cost above capacity locks the key", () => {
    const { limiter } = limited({ rate: 5 });
    expect(limiter.checkSync("a", { cost: 6 })).toMatchObject({ allowed: false, retryAfter: Number.POSITIVE_INFINITY });
    expect(limiter.checkSync("a", { cost: 5 }).allowed).toBe(true);
  });

  test("a refusal by one limit charges the others", () => {
    const backend = new BucketTable(10, new ManualClock());
    const limiter = new RateLimiter({
      limits: [
        { name: "small", rate: 1 },
        { name: "large", rate: 5 },
      ],
      backend,
    });
    for (let i = 0; i < 9; i++) limiter.checkSync("a");
    expect(limiter.checkSync("a", { cost: 0 }).limits.map(({ remaining }) => remaining)).toEqual([0, 4]);
  });

  test("two limiters share one key by accident", () => {
    const backend = new BucketTable(10, new ManualClock());
    const make = (rate: number, name: string): RateLimiter<SyncBackend> => new RateLimiter({ limits: [{ rate }], name, backend });
    make(5, "one");
    expect(caught(() => make(6, "one")).message).toContain("Expected `name` to be unique among the limiters of a backend");
    expect(make(6, "two").checkSync("a").remaining).toBe(5);
    expect(make(1, "on").checkSync("e:a").allowed && make(1, "on:e").checkSync("a").allowed).toBe(true);
  });

  test("a refusal says to retry after 0 s, or lasts forever", () => {
    const { limiter, clock } = limited({ rate: 1000, period: 1, burst: 1 });
    limiter.checkSync("a");
    const { retryAfter } = limiter.checkSync("a");
    expect(retryAfter).toBe(0.001);
    clock.advance(1);
    expect(limiter.checkSync("a").allowed).toBe(true);
  });

  test("at the key cap, an attacker's blocked key is forgotten", () => {
    const { limiter } = limited({ rate: 10, period: 3600 }, 100);
    for (let i = 0; i < 10; i++) limiter.checkSync("attacker");
    for (let i = 0; i < 5000; i++) limiter.checkSync(`sprayed ${i}`);
    expect(limiter.checkSync("attacker").allowed).toBe(false);
  });

  test("a refund exceeds capacity", async () => {
    const { limiter } = limited({ rate: 3 });
    await limiter.refund("a", 100);
    expect([1, 2, 3, 4].map(() => limiter.checkSync("a").allowed)).toEqual([true, true, true, false]);
  });

  test("two requests in one tick at a limit of 1 are both refused or both admitted", async () => {
    const limiter = new RateLimiter({ rate: 1, backend: new LateBackend() });
    const both = await Promise.all([limiter.check("a"), limiter.check("a")]);
    expect(both.map(({ allowed }) => allowed)).toEqual([true, false]);
  });

  test("a timer per key keeps request contexts alive", () => {
    const { limiter } = limited({ rate: 10, period: 3600 });
    const timers = (): number => process.getActiveResourcesInfo().filter((resource) => resource === "Timeout").length;
    limiter.checkSync("first");
    const before = timers();
    for (let i = 0; i < 500; i++) limiter.checkSync(`key ${i}`);
    expect(timers()).toBe(before);
  });

  test("IPv4-mapped clients share one bucket, and ::ffff:10.0.0.0/8 trusts all of IPv4", () => {
    expect(clientIp("::ffff:1.2.3.4", {})).not.toBe(clientIp("::ffff:5.6.7.8", {}));
    expect(() => clientIp("11.0.0.1", { "x-forwarded-for": "1.1.1.1" }, { trust: ["::ffff:10.0.0.0/8"] })).toThrow(
      /Expected `trust` to be/,
    );
  });

  test("the left-most X-Forwarded-For address is trusted", () => {
    expect(clientIp("10.0.0.7", { "x-forwarded-for": "6.6.6.6, 203.0.113.9" }, { trust: 1 })).toBe("203.0.113.9");
  });

  test("a quote in a policy's name breaks the header", () => {
    for (const name of ['a"b', 'a";q=1', "a\\", "a\r\nSet-Cookie: a"])
      expect(caught(() => definePolicy({ rate: 1, name })).message).toContain("Expected `name` to be a letter followed by at most 63");
  });
});
