import type { DecisionSource } from "../../backend/backend.ts";
import type { VisibleDecision } from "../../decision/headers.ts";
import { tightestOf } from "../../decision/headers.ts";
import type { LimitResult, RateLimitResult } from "../../decision/result.ts";
import type { RateLimiter } from "../../limiter/rate-limiter.ts";
import type { Policy } from "../../policy/policy.ts";

/** A decision as handlers see it in `req.rateLimit`, `request.rateLimit` or `ctx.state.rateLimit`. */
export interface RequestRateLimit extends RateLimitResult {
  /** Every decision made about this request, in order. */
  readonly all: readonly RequestRateLimit[];
  /** Gives back `tokens` (1 by default) to the bucket that this decision took from. */
  refund(tokens?: number): Promise<RateLimitResult>;
  /** Charges the same bucket for a cost that is known only afterwards (LLM tokens, bytes). */
  charge(tokens: number): Promise<RateLimitResult & { uncharged: number }>;
}

/** A guard's decision about a request. */
export interface Decision extends VisibleDecision {
  readonly limiter: RateLimiter;
  readonly key: string;
  readonly policy: Policy;
  readonly result: RateLimitResult;
  /** Whether clients may see it; false in shadow mode. */
  readonly isVisible: boolean;
}

/** The property that stores a request's decisions. A global symbol, so that all copies of this package in a process share it. */
const slot: unique symbol = Symbol.for("@ratelimit/core/http decisions");

/** Collects the decisions of all guards about one request, so that a limiter charges each key once and the headers cover all limits. */
export class Decisions {
  /** Copied instead of pushed to: nearly every request has one decision, and pushing to an empty array allocates room for 17. */
  #made: readonly Decision[] = [];
  #carried: readonly CarriedDecision[] = [];

  /** Returns a request's decisions, which are stored on its carrier: a WeakMap of all pending requests would cost ten times as much. */
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

  /** Makes a decision from shadow mode visible to clients. */
  reveal(decision: Decision): Decision {
    const shown = { ...decision, isVisible: true };
    this.#made = this.#made.map((made) => (made === decision ? shown : made));
    return shown;
  }

  /** The decisions that clients may see. */
  get visible(): readonly VisibleDecision[] {
    return this.#made.every(isVisible) ? this.#made : this.#made.filter(isVisible);
  }

  /** All decisions for handlers, in order. */
  get all(): readonly RequestRateLimit[] {
    return this.#carried;
  }

  /** The tightest decision, with all others in `all`. */
  get carried(): RequestRateLimit {
    return (this.#carried.length === 1 ? this.#carried[0] : tightestOf(this.#carried)) as CarriedDecision;
  }
}

function isVisible({ isVisible }: Decision): boolean {
  return isVisible;
}

/**
 * A result with methods to correct it. The methods and `all` live on the prototype, so spreads and JSON contain the result only.
 * Fields use `declare` because each would otherwise be initialized to `undefined` before it is assigned.
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
