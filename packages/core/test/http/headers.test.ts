import { definePolicy, ManualClock, type Policy, RateLimiter, type RateLimitResult } from "@ratelimit/core";
import { exposedHeaders, type HeaderMode, rateLimitHeaders } from "@ratelimit/core/http";
import fc from "fast-check";
import { parseDictionary, parseItem, parseList, serializeDictionary, serializeItem, serializeList } from "structured-headers";
import { describe, expect, test } from "vitest";
import { toResult } from "../../src/decision/result.ts";
import { tableBackend } from "../support/backends.ts";
import { always } from "../support/property.ts";

declare global {
  /** A browser type that the types of structured-headers need. */
  type BufferSource = ArrayBuffer | ArrayBufferView;
}

const modes = ["legacy", "draft-6", "draft-7", "draft-8", "draft-11", "none"] as const satisfies readonly HeaderMode[];

/** 100 per minute in a bucket of 150; a token is 600 units. */
const policy = definePolicy({ rate: 100, period: 60, burst: 150 });

const state = (used: number, cost: number = 1, allowed: boolean = used <= 90_000): RateLimitResult =>
  toResult(policy, { allowed, used }, cost);

describe("the formulas of http.md", () => {
  test.each([
    ["full except for this request", state(600), "r=149;t=1"],
    ["full, peeked at", state(0, 0), "r=150;t=0"],
    ["50 left", state(60_000), "r=50;t=1"],
    ["refused with none left", state(90_000, 1, false), "r=0;t=1"],
    ["an expensive request refused", state(88_200, 10, false), "r=3;t=5"],
    ["in debt by a whole burst", state(180_000, 1, false), "r=0;t=91"],
  ])("draft-11 reports when more quota becomes available: %s", (_, result, sent) => {
    expect(rateLimitHeaders(result, policy, "draft-11")).toMatchObject({ RateLimit: `"default";${sent}` });
  });

  test.each([
    ["full except for this request", state(600), "r=149;t=90", undefined],
    ["full, peeked at", state(0, 0), "r=150;t=90", undefined],
    ["50 left", state(60_000), "r=50;t=30", undefined],
    ["one left", state(89_400), "r=1;t=1", undefined],
    ["slightly less than one left", state(89_401), "r=0;t=1", undefined],
    ["none left", state(90_000), "r=0;t=1", undefined],
    ["refused with none left", state(90_000, 1, false), "r=0;t=1", "1"],
    ["an expensive request refused", state(88_200, 10, false), "r=3;t=5", "5"],
    ["refused for good", state(600, 151, false), "r=149;t=2", undefined],
    ["in debt by a whole burst", state(180_000, 1, false), "r=0;t=91", "91"],
  ])("%s", (_, result, told, retryAfter) => {
    const fields = rateLimitHeaders(result, policy, "draft-8");
    expect(fields).toEqual({
      "RateLimit-Policy": '"default";q=150;w=90',
      RateLimit: `"default";${told}`,
      ...(retryAfter !== undefined && { "Retry-After": retryAfter }),
    });
  });

  test("legacy, the default: the rate, at most that many left, and the second in which the bucket is full", () => {
    const fields = rateLimitHeaders(state(600), policy);
    expect(fields).toMatchObject({ "X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "100" });
    expect(Number(fields["X-RateLimit-Reset"])).toBe(Math.ceil(state(600).resetAt));
  });

  test("an uncounted admission sends no headers, and an uncounted refusal only Retry-After", () => {
    for (const mode of modes) {
      expect(rateLimitHeaders(toResult(policy, { allowed: true, used: 0, source: "open" }, 1), policy, mode)).toEqual({});
      expect(rateLimitHeaders(toResult(policy, { allowed: false, used: 0, source: "closed" }, 1), policy, mode)).toEqual({
        "Retry-After": "1",
      });
    }
  });

  test("local decisions send headers like any other", () => {
    expect(rateLimitHeaders(toResult(policy, { allowed: true, used: 600, source: "local" }, 1), policy, "draft-8")["RateLimit"]).toBe(
      '"default";r=149;t=90',
    );
  });

  test("exposedHeaders names exactly the headers that each mode may send", () => {
    for (const mode of modes) {
      const sent = [...Object.keys(rateLimitHeaders(state(90_000, 1, false), policy, mode))];
      expect([...exposedHeaders[mode]].sort()).toEqual(sent.sort());
    }
  });
});

const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_.-]{0,63}$/);
const limit = fc.record({
  rate: fc.integer({ min: 1, max: 10_000 }),
  period: fc.integer({ min: 1, max: 100_000 }),
  burst: fc.integer({ min: 1, max: 10_000 }),
});

/** Generates valid policies of one to three limits. */
const policies = fc.uniqueArray(fc.tuple(name, limit), { minLength: 1, maxLength: 3, selector: ([name]) => name }).chain((limits) => {
  try {
    return fc.constant(
      definePolicy({ limits: limits.map(([name, { period, ...limit }]) => ({ name, period: `${period}s`, ...limit })) as never }),
    );
  } catch {
    return fc.constant(policy);
  }
});

/** Generates decisions that a limiter makes after some requests and some time. */
const decisions = fc
  .tuple(policies, fc.array(fc.tuple(fc.nat(200_000), fc.nat(50)), { minLength: 1, maxLength: 12 }), fc.nat(300))
  .map(([policy, steps, debt]) => {
    const clock = new ManualClock();
    const backend = tableBackend(clock);
    const limiter = new RateLimiter({
      limits: policy.limits.map(({ name, rate, period, burst }) => ({ name, rate, period: `${period}s`, burst })) as never,
      backend,
      name: "debtor",
    });
    const results = steps.map(([ms, cost]) => {
      clock.advance(ms);
      return limiter.checkSync("key", { cost });
    });
    if (debt > 250) backend.adjust({ prefix: "ratelimit:debtor:", policy }, "key", debt);
    const [, cost] = steps.at(-1) as [number, number];
    const result = debt > 250 ? limiter.checkSync("key", { cost }) : (results.at(-1) as RateLimitResult);
    return { policy, result, inDebt: debt > 250, clock, limiter, cost };
  });

function tokensOf(policy: Policy, name: string): Policy["limits"][number] {
  return policy.limits.find((limit) => limit.name === name) as Policy["limits"][number];
}

describe("for any decision", () => {
  test("draft 8 sends two lists of strings with integer parameters, in canonical form and within bounds", () => {
    always(decisions, ({ policy, result, inDebt }) => {
      const { "RateLimit-Policy": quotas = "", RateLimit: states = "" } = rateLimitHeaders(result, policy, "draft-8");
      for (const field of [quotas, states]) expect(serializeList(parseList(field)), "canonical").toBe(field);
      const [quotaOf, stateOf] = [quotas, states].map((field) => new Map(parseList(field) as [string, Map<string, number>][]));
      expect([...(stateOf?.keys() ?? [])]).toEqual(policy.limits.map(({ name }) => name));
      for (const [name, state] of stateOf ?? []) {
        const [q, w] = [quotaOf?.get(name)?.get("q") ?? 0, quotaOf?.get(name)?.get("w") ?? 0];
        const [r, t] = [state.get("r") ?? -1, state.get("t") ?? 0];
        const { rate, period, burst } = tokensOf(policy, name);
        expect([q, Number.isInteger(r), Number.isInteger(t), Number.isInteger(w)]).toEqual([burst, true, true, true]);
        expect(r).toBeGreaterThanOrEqual(0);
        expect(r).toBeLessThanOrEqual(q);
        expect(w).toBe(Math.max(1, Math.ceil((burst * period) / rate - 1e-9)));
        expect(t).toBeGreaterThanOrEqual(1);
        if (!inDebt && result.cost <= burst) expect(t).toBeLessThanOrEqual(w);
      }
    });
  });

  test("draft 7 sends a list and a dictionary of integers, draft 6 the same in three integers, and neither repeats a quota", () => {
    always(decisions, ({ policy, result }) => {
      const seven = rateLimitHeaders(result, policy, "draft-7");
      const six = rateLimitHeaders(result, policy, "draft-6");
      const { "RateLimit-Policy": quotas = "", RateLimit: state = "" } = seven;
      expect(serializeList(parseList(quotas))).toBe(quotas);
      expect(serializeDictionary(parseDictionary(state))).toBe(state);
      const values = parseList(quotas).map(([quota]) => quota);
      expect(new Set(values).size).toBe(values.length);
      const [limit, remaining, reset] = ["limit", "remaining", "reset"].map((member) => parseDictionary(state).get(member)?.[0]);
      expect(six["RateLimit-Policy"]).toBe(quotas);
      expect(["Limit", "Remaining", "Reset"].map((name) => Number(six[`RateLimit-${name}`]))).toEqual([limit, remaining, reset]);
      expect(values).toContain(limit);
    });
  });

  test("legacy mode sends three integers: remaining is at most the limit, and the reset is ten digits of Unix seconds", () => {
    always(decisions, ({ policy, result }) => {
      const fields = rateLimitHeaders(result, policy);
      for (const field of Object.values(fields)) expect(serializeItem(parseItem(field))).toBe(field);
      const [limit, left, reset] = ["Limit", "Remaining", "Reset"].map((name) => Number(fields[`X-RateLimit-${name}`]));
      expect(left).toBeLessThanOrEqual(limit ?? 0);
      expect(reset).toBeGreaterThanOrEqual(Math.floor(Date.now() / 1000) - 60);
      expect(String(reset)).toMatch(/^\d{10,11}$/);
    });
  });

  test("Retry-After is sent only if waiting would help; it is an integer of at least 1, and waiting that long suffices", () => {
    always(decisions, ({ policy, result, limiter, clock, cost }) => {
      const fits = policy.limits.every(({ burst }) => cost <= burst);
      for (const mode of modes.filter((mode) => mode !== "none")) {
        const { "Retry-After": wait } = rateLimitHeaders(result, policy, mode);
        expect(wait !== undefined).toBe(!result.allowed && fits);
        if (wait === undefined) continue;
        expect(wait).toMatch(/^[1-9]\d*$/);
        expect(Number(wait)).toBe(Math.max(1, Math.ceil(result.retryAfter)));
      }
      if (result.allowed || !fits) return;
      clock.advance(Math.max(1, Math.ceil(result.retryAfter)) * 1000);
      expect(limiter.checkSync("key", { cost }).allowed).toBe(true);
    });
  });

  test("every decision of one limiter sends the same policy", () => {
    always(decisions, ({ policy, result, limiter, clock }) => {
      clock.advance(12_345);
      const later = limiter.checkSync("key");
      for (const mode of ["draft-6", "draft-7", "draft-8"] as const)
        expect(rateLimitHeaders(later, policy, mode)["RateLimit-Policy"]).toBe(rateLimitHeaders(result, policy, mode)["RateLimit-Policy"]);
    });
  });
});
