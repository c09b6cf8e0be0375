import assert from "node:assert/strict";
import type { RateLimiter, RateLimitResult } from "@ratelimit/core";
import fc from "fast-check";
import { slow } from "./arbitraries.ts";
import { always } from "./property.ts";
import { type BackendRequirement, requirement } from "./requirement.ts";

const burst = 20;
const methods = ["check", "peek", "refund", "charge", "block", "reset"] as const;

interface Call {
  readonly method: (typeof methods)[number];
  readonly key: string;
  readonly tokens: number;
  /** Whether to wait for all answers before the next call. */
  readonly pause: boolean;
}

const calls: fc.Arbitrary<Call[]> = fc.array(
  fc.record({
    method: fc.oneof(fc.constant("check" as const), fc.constantFrom(...methods)),
    key: fc.constantFrom("a", "a", "b"),
    tokens: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 25 })),
    pause: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
  }),
  { minLength: 2, maxLength: 30, size: "max" },
);

export const madeOrder: BackendRequirement = requirement(
  "calls on one key take effect in the order they were made, even if nobody awaits them",
  "any",
  (fixture) =>
    always(fixture, calls, async (made) => {
      const limiter = fixture.limiter(slow(burst));
      const buckets = new Map<string, Bucket>();
      const answers: Promise<unknown>[] = [];
      const expected: unknown[] = [];
      // A call that is already in flight gives a batching backend a reason to batch the rest.
      answers.push(limiter.check("other"));
      expected.push([true, burst - 1]);
      for (const { method, key, tokens, pause } of made) {
        answers.push(callOn(limiter, method, key, tokens));
        expected.push(carriedOut(buckets, method, key, tokens));
        if (pause) await Promise.all(answers);
      }
      assert.deepEqual((await Promise.all(answers)).map(figures), expected);
    }),
);

function callOn(limiter: RateLimiter, method: Call["method"], key: string, tokens: number): Promise<unknown> {
  if (method === "reset") return limiter.reset(key);
  if (method === "block") return limiter.block(key, "1h");
  return method === "check" || method === "peek" ? limiter[method](key, { cost: tokens }) : limiter[method](key, tokens);
}

interface Bucket {
  readonly used: number;
  readonly isBlocked: boolean;
}

const unused: Bucket = { used: 0, isBlocked: false };

/** Applies a call to a bucket without a clock, and returns whether it is admitted and what is left. */
function carriedOut(buckets: Map<string, Bucket>, method: Call["method"], key: string, tokens: number): unknown {
  const before = buckets.get(key) ?? unused;
  const fits = !before.isBlocked && before.used + tokens <= burst;
  const after: Bucket = {
    check: fits ? { ...before, used: before.used + tokens } : before,
    peek: before,
    refund: { ...before, used: Math.max(0, before.used - tokens) },
    charge: { ...before, used: Math.min(2 * burst, before.used + tokens) },
    block: { ...before, isBlocked: true },
    reset: unused,
  }[method];
  buckets.set(key, after);
  if (method === "reset" || method === "block") return undefined;
  const left = after.isBlocked ? 0 : Math.max(0, burst - after.used);
  return [method === "check" || method === "peek" ? fits : true, left];
}

function figures(answer: unknown): unknown {
  if (answer === undefined) return undefined;
  const { allowed, remaining } = answer as RateLimitResult;
  return [allowed, remaining];
}
