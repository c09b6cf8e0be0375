import type { DecisionSource } from "../../backend/backend.ts";
import type { VisibleDecision } from "../../decision/headers.ts";
import { tightestOf } from "../../decision/headers.ts";
import type { LimitResult, RateLimitResult } from "../../decision/result.ts";
import type { RateLimiter } from "../../limiter/rate-limiter.ts";
import type { Policy } from "../../policy/policy.ts";

/** A decision as its request carries it: `req.rateLimit`, `request.rateLimit`, `ctx.state.rateLimit`. */
export interface RequestRateLimit extends RateLimitResult {
  /** Every decision of this request, in the order in which they were made. */
  readonly all: readonly RequestRateLimit[];
  /** Gives back `tokens` (1) to the bucket that this decision took from. */
  refund(tokens?: number): Promise<RateLimitResult>;
  /** Charges `tokens` that are known only now (LLM tokens, bytes) to the same bucket. */
  charge(tokens: number): Promise<RateLimitResult & { uncharged: number }>;
}

/** A decision of a guard about a request. */
export interface Decision extends VisibleDecision {
  readonly limiter: RateLimiter;
  readonly key: string;
  readonly policy: Policy;
  readonly result: RateLimitResult;
  /** Whether clients may see it: not in shadow mode, nor if headers are off. */
  readonly isVisible: boolean;
}

/** Where a request carries its decisions; found by every copy of this package in a process. */
const slot: unique symbol = Symbol.for("@ratelimit/core/http decisions");

/** What was decided about a request so far, by all guards: one charge per limiter and key, and headers that cover all. */
export class Decisions {
  /** Lists that are as long as they must be: nearly every request has one decision, and an array that was pushed to has room for 17. */
  #made: readonly Decision[] = [];
  #carried: readonly CarriedDecision[] = [];

  /** Those of a request, kept on it or on what stands for it: a weak map of all requests under way costs ten times as much. */
  static of(carrier: object & { [slot]?: Decisions }): Decisions {
    carrier[slot] ??= new Decisions();
    return carrier[slot];
  }

  find(limiter: RateLimiter, key: string): Decision | undefined {
    return this.#made.find((made) => made.limiter === limiter && made.key === key);
  }

  add(decision: Decision): void {
    const carried = new CarriedDecision(decision, this);
    this.#made = this.#made.length === 0 ? [decision] : [...this.#made, decision];
    this.#carried = this.#carried.length === 0 ? [carried] : [...this.#carried, carried];
  }

  /** Shows clients a decision that was made in shadow mode. */
  reveal(decision: Decision): Decision {
    const shown = { ...decision, isVisible: true };
    this.#made = this.#made.map((made) => (made === decision ? shown : made));
    return shown;
  }

  /** The decisions that clients may see. */
  get visible(): readonly VisibleDecision[] {
    return this.#made.every(isVisible) ? this.#made : this.#made.filter(isVisible);
  }

  /** What the request carries: all decisions in their order, and of them the tightest. */
  get all(): readonly RequestRateLimit[] {
    return this.#carried;
  }

  get carried(): RequestRateLimit {
    return (this.#carried.length === 1 ? this.#carried[0] : tightestOf(this.#carried)) as CarriedDecision;
  }
}

function isVisible({ isVisible }: Decision): boolean {
  return isVisible;
}

/**
 * A result field by field, and what it can still do for its request; that stays out of spreads and JSON.
 * `declare`: otherwise each field is defined first, and then assigned.
 */
class CarriedDecision implements RequestRateLimit {
  declare readonly allowed: boolean;
  declare readonly limit: number;
  declare readonly burst: number;
  declare readonly remaining: number;
  declare readonly retryAfter: number;
  declare readonly resetAfter: number;
  declare readonly resetAt: number;
  declare readonly tightest: string;
  declare readonly limits: readonly LimitResult[];
  declare readonly cost: number;
  declare readonly source: DecisionSource;
  declare readonly degraded: boolean;
  readonly #from: Decision;
  readonly #among: Decisions;

  constructor(from: Decision, among: Decisions) {
    const { result } = from;
    this.allowed = result.allowed;
    this.limit = result.limit;
    this.burst = result.burst;
    this.remaining = result.remaining;
    this.retryAfter = result.retryAfter;
    this.resetAfter = result.resetAfter;
    this.resetAt = result.resetAt;
    this.tightest = result.tightest;
    this.limits = result.limits;
    this.cost = result.cost;
    this.source = result.source;
    this.degraded = result.degraded;
    this.#from = from;
    this.#among = among;
  }

  get all(): readonly RequestRateLimit[] {
    return this.#among.all;
  }

  refund(tokens?: number): Promise<RateLimitResult> {
    return this.#from.limiter.refund(this.#from.key, tokens);
  }

  charge(tokens: number): Promise<RateLimitResult & { uncharged: number }> {
    return this.#from.limiter.charge(this.#from.key, tokens);
  }
}
