import assert from "node:assert/strict";
import type { RateLimiter, RateLimitResult } from "@ratelimit/core";
import fc from "fast-check";
import { anyLimits, capacityOf, policyOf } from "./arbitraries.ts";
import { type Expected, type LimitSpec, Oracle } from "./oracle.ts";
import { always } from "./property.ts";
import { type BackendRequirement, type Fixture, requirement } from "./requirement.ts";

/** A number of tokens: quarters of what the policy can admit at once, plus `more`. */
interface Amount {
  readonly quarters: number;
  readonly more: number;
}

type Step =
  | { readonly do: "take" | "peek" | "refund" | "charge"; readonly amount: Amount }
  | { readonly do: "pass"; readonly ms: number }
  | { readonly do: "step back"; readonly ms: number }
  /** Passes time until the moment that the last answer named, or 1 ms before or after it, then repeats the same call. */
  | { readonly do: "pass until"; readonly what: "retryMs" | "resetMs"; readonly off: -1 | 0 | 1 }
  | { readonly do: "change policy"; readonly to: number; readonly blockMs: number }
  | { readonly do: "reset" };

const amount = fc.record({ quarters: fc.nat(9), more: fc.nat(3) });

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constantFrom("take", "take", "take", "peek", "refund", "charge"), amount }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("pass"), ms: fc.oneof(fc.nat(3), fc.nat(2000)) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("pass until"),
      what: fc.constantFrom("retryMs", "resetMs"),
      off: fc.constantFrom(-1, 0, 1),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("step back"), ms: fc.oneof(fc.nat(3), fc.nat(5000)) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("change policy"), to: fc.nat(3), blockMs: fc.constantFrom(0, 0, 700) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("reset") }) },
) as fc.Arbitrary<Step>;

const trace = fc.record({
  policies: fc.array(anyLimits, { minLength: 1, maxLength: 4 }),
  steps: fc.array(step, { minLength: 1, maxLength: 40 }),
});

/**
 * Covers several limits, costs, refunds, charges, resets, a clock that steps back, and limits that are reordered, added, removed,
 * renamed and changed along the way.
 */
export const oracleEquality: BackendRequirement = requirement("every answer equals that of an exact oracle", "manual clock", (fixture) =>
  always(fixture, trace, ({ policies, steps }) => followed(fixture, policies, steps), 200),
);

async function followed(fixture: Fixture, policies: readonly LimitSpec[][], steps: readonly Step[]): Promise<void> {
  let limits = policies[0] as LimitSpec[];
  let blockMs = 0;
  const limiter = fixture.limiter(policyOf(limits));
  const oracle = new Oracle();
  let last: Expected = oracle.peek(limits, 1);
  let tokens = 1;
  const pass = async (ms: number): Promise<void> => {
    await fixture.pass(ms);
    oracle.advance(ms);
  };
  for (const step of steps) {
    if (step.do === "pass") await pass(step.ms);
    else if (step.do === "pass until") {
      await pass(Math.max(0, finiteOr(last.tightest[step.what], 1) + step.off));
      last = await compared(limiter, oracle, { limits, blockMs }, "take", tokens);
    } else if (step.do === "step back") await pass(oracle.isStale ? 0 : -step.ms);
    else if (step.do === "reset") {
      await limiter.reset("key");
      oracle.reset();
    } else if (step.do === "change policy") {
      limits = policies[step.to % policies.length] as LimitSpec[];
      blockMs = step.blockMs;
      limiter.update({ ...policyOf(limits), ...(blockMs > 0 && { block: `${blockMs}ms` as const }) });
    } else {
      tokens = tokensOf(step.amount, limits);
      last = await compared(limiter, oracle, { limits, blockMs }, step.do, tokens);
    }
  }
}

async function compared(
  limiter: RateLimiter,
  oracle: Oracle,
  { limits, blockMs }: { limits: readonly LimitSpec[]; blockMs: number },
  call: "take" | "peek" | "refund" | "charge",
  tokens: number,
): Promise<Expected> {
  // A charge or refund of 0 may or may not rewrite the bucket, so use at least 1.
  const some = Math.max(1, tokens);
  if (call === "take") return equal(await limiter.check("key", { cost: tokens }), oracle.take(limits, tokens, blockMs), `take ${tokens}`);
  if (call === "peek") return equal(await limiter.peek("key", { cost: tokens }), oracle.peek(limits, tokens), `peek ${tokens}`);
  if (call === "refund") return equal(await limiter.refund("key", some), oracle.adjust(limits, -some), `refund ${some}`);
  const charged = await limiter.charge("key", some);
  const expected = equal(charged, oracle.adjust(limits, some), `charge ${some}`);
  assert.equal(charged.uncharged, expected.uncharged, `uncharged of charge ${some}`);
  return expected;
}

function equal(result: RateLimitResult, expected: Expected, call: string): Expected {
  const figures = {
    allowed: result.allowed,
    tightest: result.tightest,
    remaining: result.remaining,
    retryAfter: result.retryAfter,
    resetAfter: result.resetAfter,
    limits: result.limits.map(({ name, remaining, retryAfter, resetAfter, used }) => ({ name, remaining, retryAfter, resetAfter, used })),
  };
  const { allowed, tightest, limits } = expected;
  assert.deepEqual(
    figures,
    {
      allowed,
      tightest: tightest.name,
      remaining: tightest.remaining,
      retryAfter: tightest.retryMs / 1000,
      resetAfter: tightest.resetMs / 1000,
      limits: limits.map(({ name, remaining, retryMs, resetMs, used }) => ({
        name,
        remaining,
        retryAfter: retryMs / 1000,
        resetAfter: resetMs / 1000,
        used,
      })),
    },
    `the answer to ${call}`,
  );
  return expected;
}

/** The largest generated amount stands for the largest possible number of tokens, which no bucket can hold. */
function tokensOf({ quarters, more }: Amount, limits: readonly LimitSpec[]): number {
  return quarters === 9 && more === 3 ? Number.MAX_SAFE_INTEGER : Math.floor((quarters * capacityOf(limits)) / 4) + more;
}

function finiteOr(ms: number, otherwise: number): number {
  return Number.isFinite(ms) ? ms : otherwise;
}
