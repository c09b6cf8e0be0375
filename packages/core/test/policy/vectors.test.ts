import { readFileSync } from "node:fs";
import { ManualClock, type PolicyOptions, RateLimiter, type RateLimitResult } from "@ratelimit/core";
import { expect, test } from "vitest";
import { tableBackend } from "../support/backends.ts";

/**
 * A trace worked out by hand, with every expected figure. A `retryMs` of -1 means never. The conformance suite covers random traces: it
 * compares every backend with an exact oracle.
 */
interface Vector {
  readonly name: string;
  readonly limits: readonly { rate: number; periodMs: number; burst: number }[];
  readonly steps: readonly Step[];
}

interface Figures {
  readonly remaining: number;
  readonly retryMs: number;
  readonly resetMs: number;
}

interface Step {
  /** Milliseconds since the first step. */
  readonly at: number;
  /** A take has a cost. An adjustment has tokens, which are negative for a refund. */
  readonly cost?: number;
  readonly tokens?: number;
  readonly allowed?: boolean;
  readonly limits: readonly Figures[];
}

const vectors = JSON.parse(readFileSync(new URL("vectors.json", import.meta.url), "utf8")) as Vector[];

test.each(vectors)("$name", async ({ limits, steps }) => {
  const clock = new ManualClock();
  const limiter = new RateLimiter({ ...policyOf(limits), backend: tableBackend(clock) });
  for (const [i, step] of steps.entries()) {
    clock.advance(step.at - clock.now());
    const result = await call(limiter, step);
    expect(result.limits.map(figuresOf), `step ${i}`).toEqual(step.limits);
    expect(result.allowed, `step ${i}`).toBe(step.allowed ?? true);
  }
});

test("no vector is missing", () => {
  expect(vectors).toHaveLength(13);
  expect(vectors.flatMap(({ steps }) => steps)).toHaveLength(67);
});

function policyOf(limits: Vector["limits"]): PolicyOptions {
  const [first, ...rest] = limits.map(({ rate, periodMs, burst }, i) => ({
    name: `limit-${i}`,
    rate,
    period: `${periodMs}ms` as const,
    burst,
  }));
  return { limits: [first!, ...rest] };
}

function call(limiter: RateLimiter, { cost, tokens = 0 }: Step): Promise<RateLimitResult> {
  if (cost !== undefined) return limiter.check("key", { cost });
  return tokens < 0 ? limiter.refund("key", -tokens) : limiter.charge("key", tokens);
}

function figuresOf({ remaining, retryAfter, resetAfter }: RateLimitResult["limits"][number]): Figures {
  return {
    remaining,
    retryMs: retryAfter === Number.POSITIVE_INFINITY ? -1 : Math.round(retryAfter * 1000),
    resetMs: Math.round(resetAfter * 1000),
  };
}
