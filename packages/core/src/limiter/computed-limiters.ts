import type { RateLimiterOptions } from "../config/limiter-options.ts";
import { definePolicy, type LimitOptions, type Policy, type PolicyOptions } from "../policy/policy.ts";
import { RateLimiter } from "./rate-limiter.ts";

/** Where the limiters store their buckets. */
export type Stored = Pick<RateLimiterOptions, "backend" | "name" | "keyPrefix">;

/** The most policies to keep compiled. Policies that come from a database are few; one that depends on a client's input may be any. */
const mostKept = 1000;

/**
 * Makes the limiters of policies that are computed per request. They share one name, so a key whose policy changes keeps the time that it
 * owes. Limiters are kept by the numbers of their policy, which makes a repeated policy cheap.
 */
export class ComputedLimiters {
  readonly #stored: Stored;
  readonly #kept = new Map<string, RateLimiter>();

  constructor(stored: Stored) {
    this.#stored = stored;
  }

  /**
   * Returns the limiter of a policy.
   * @throws {RateLimitError} INVALID_POLICY if it is none.
   */
  of(policy: PolicyOptions | Policy): RateLimiter {
    const numbers = numbersOf(policy);
    const kept = this.#kept.get(numbers);
    if (kept !== undefined) return kept;
    const limiter = this.#make(policy);
    if (this.#kept.size >= mostKept) this.#kept.delete(this.#kept.keys().next().value as string);
    this.#kept.set(numbers, limiter);
    return limiter;
  }

  #make(policy: PolicyOptions | Policy): RateLimiter {
    const options = { ...this.#stored, policy: definePolicy(policy), computed: true };
    return new RateLimiter(options);
  }
}

/** Reads fields by name, because those of a database entity may be accessors, which JSON would leave out. */
function numbersOf(policy: PolicyOptions | Policy): string {
  const { block, blockMs, lease, leaseMs, limits = [policy] } = policy as PolicyOptions & Partial<Policy>;
  const each = ([limits].flat() as readonly Partial<LimitOptions>[]).map((limit) => limitFields.map((field) => String(limit[field])));
  return JSON.stringify([...[block, blockMs, lease, leaseMs].map(String), ...each]);
}

const limitFields = ["name", "rate", "period", "burst"] as const;
