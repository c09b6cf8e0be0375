import { definePolicy, type Policy } from "@ratelimit/core";
import fc from "fast-check";

/** One limit in the form that the oracle takes. */
interface LimitSpec {
  readonly name: string;
  readonly rate: number;
  readonly periodMs: number;
  readonly burst: number;
}

export type Step =
  | { readonly do: "take" | "adjust"; readonly tokens: number }
  | { readonly do: "pass" | "block"; readonly ms: number }
  | { readonly do: "reset" }
  | { readonly do: "policy"; readonly to: number };

/** The limits of a policy, and for how many ms a refusal blocks the key. */
export interface PolicySpec {
  readonly limits: readonly LimitSpec[];
  readonly blockMs: number;
}

/** Policies that take turns on one bucket, and the steps that happen to it. */
export interface Trace {
  readonly policies: readonly PolicySpec[];
  readonly steps: readonly Step[];
}

/** Limits that differ in everything that matters: units per token and per millisecond, size, and the time to refill a token. */
const nameless: fc.Arbitrary<Omit<LimitSpec, "name">> = fc.oneof(
  fc
    .record({ rate: fc.integer({ min: 1, max: 60 }), periodMs: fc.integer({ min: 1, max: 900 }), more: fc.nat(30) })
    .map(({ rate, periodMs, more }) => ({ rate, periodMs, burst: Math.ceil(rate / periodMs) + more })),
  fc.constantFrom(
    { rate: 100, periodMs: 60_000, burst: 150 },
    { rate: 7, periodMs: 1000, burst: 7 },
    { rate: 7001, periodMs: 1000, burst: 40 },
    { rate: 2 ** 30, periodMs: 1000, burst: 2 ** 31 },
    { rate: 26_000_003, periodMs: 86_400_000, burst: 26_000_003 },
    { rate: 1, periodMs: 365 * 86_400_000, burst: 3 },
  ),
);

/** The limits of a trace come from a small pool, so that policies differ by an added, removed, renamed or reordered limit. */
const policies: fc.Arbitrary<PolicySpec[]> = fc.array(nameless, { minLength: 1, maxLength: 5 }).chain((pool) => {
  const limits = fc
    .uniqueArray(fc.constantFrom("a", "b", "c", "d"), { minLength: 1, maxLength: 3 })
    .chain((names) => fc.tuple(...names.map((name) => fc.constantFrom(...pool).map((limit) => ({ name, ...limit })))));
  return fc.array(fc.record({ limits, blockMs: fc.constantFrom(0, 0, 0, 1, 5000) }), { minLength: 1, maxLength: 4 });
});

/** A number of tokens, as a fraction of the first limit's burst plus a fixed amount. */
const tokens: fc.Arbitrary<{ share: number; more: number }> = fc.record({
  share: fc.oneof(fc.constant(0), fc.constantFrom(0.1, 0.25, 0.5, 1, 2.5)),
  more: fc.oneof(fc.nat(3), fc.constant(Number.MAX_SAFE_INTEGER)),
});

const sketch = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant("take" as const), tokens }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("adjust" as const), tokens, sign: fc.constantFrom(1, -1) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.oneof(fc.nat(3), fc.nat(2000), fc.nat(90_000_000)) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.integer({ min: -5000, max: -1 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("policy" as const), to: fc.nat(3) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("block" as const), ms: fc.oneof(fc.integer({ min: 1, max: 3000 }), fc.constant(90_000_000)) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("reset" as const) }) },
);

/** Generates traces of about `length` steps. */
export function traces(length: number): fc.Arbitrary<Trace> {
  return fc
    .record({
      policies,
      steps: fc.array(sketch, { minLength: length, maxLength: length }),
    })
    .map(({ policies, steps }) => {
      const burst = policies[0]?.limits[0]?.burst ?? 1;
      const amount = ({ share, more }: { share: number; more: number }): number =>
        Math.min(Number.MAX_SAFE_INTEGER, Math.floor(share * burst) + more);
      const written = steps.map((step): Step => {
        if (step.do === "take") return { do: "take", tokens: amount(step.tokens) };
        // Never adjust by 0, because that may or may not rewrite a bucket.
        if (step.do === "adjust") return { do: "adjust", tokens: step.sign * Math.max(1, amount(step.tokens)) };
        return step;
      });
      return { policies, steps: written };
    });
}

export function policyOf({ limits, blockMs }: PolicySpec): Policy {
  const [first, ...more] = limits.map(({ name, rate, periodMs, burst }) => ({ name, rate, burst, period: `${periodMs}ms` as const }));
  if (first === undefined) throw new Error("A policy has at least one limit");
  return definePolicy({ limits: [first, ...more], ...(blockMs > 0 && { block: `${blockMs}ms` as const }) });
}
