import type { Told } from "../headers.ts";
import { tightestOf } from "../headers.ts";
import type { RateLimiter } from "../limiter.ts";
import type { Policy } from "../policy.ts";
import type { RateLimitResult } from "../result.ts";

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
export interface Decision extends Told {
  readonly limiter: RateLimiter;
  readonly key: string;
  readonly policy: Policy;
  readonly result: RateLimitResult;
  /** Whether clients are told of it: not in shadow mode, nor where headers are off. */
  readonly told: boolean;
}

/** What was decided about a request so far, by all guards: one charge per limiter and key, and headers that tell of all. */
export class Decisions {
  static readonly #byRequest = new WeakMap<object, Decisions>();
  readonly #made: Decision[] = [];
  readonly #carried: RequestRateLimit[] = [];

  static of(req: object): Decisions {
    const known = Decisions.#byRequest.get(req);
    if (known !== undefined) return known;
    const decisions = new Decisions();
    Decisions.#byRequest.set(req, decisions);
    return decisions;
  }

  find(limiter: RateLimiter, key: string): Decision | undefined {
    return this.#made.find((made) => made.limiter === limiter && made.key === key);
  }

  add(decision: Decision): void {
    this.#made.push(decision);
    this.#carried.push(Object.assign(new Bound(decision, this.#carried), decision.result));
  }

  /** Those that clients are told of. */
  get told(): readonly Told[] {
    return this.#made.filter(({ told }) => told);
  }

  /** What the request carries: its tightest decision. */
  get carried(): RequestRateLimit {
    return tightestOf(this.#carried.map((result) => ({ result })))?.result as RequestRateLimit;
  }
}

/** What a decision can still do for its request. It stays out of spreads and JSON, which show the result alone. */
class Bound {
  readonly #from: Decision;
  readonly #all: readonly RequestRateLimit[];

  constructor(from: Decision, all: readonly RequestRateLimit[]) {
    this.#from = from;
    this.#all = all;
  }

  get all(): readonly RequestRateLimit[] {
    return this.#all;
  }

  refund(tokens?: number): Promise<RateLimitResult> {
    return this.#from.limiter.refund(this.#from.key, tokens);
  }

  charge(tokens: number): Promise<RateLimitResult & { uncharged: number }> {
    return this.#from.limiter.charge(this.#from.key, tokens);
  }
}
