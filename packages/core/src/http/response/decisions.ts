import type { DecisionSource } from "../../backend/backend.ts";
import { drafts, type HeaderMode, tightestOf, type VisibleDecision } from "../../decision/headers.ts";
import type { LimitResult, RateLimitResult } from "../../decision/result.ts";
import { RateLimitError } from "../../errors.ts";
import type { RateLimiter } from "../../limiter/rate-limiter.ts";
import type { Policy } from "../../policy/policy.ts";

/** A decision as handlers see it in `req.rateLimit`, `request.rateLimit` or `ctx.state.rateLimit`. */
export interface RequestRateLimit extends RateLimitResult {
  /** The name of the limiter that made this decision. */
  readonly name: string;
  /** Every decision made about this request, in order. */
  readonly all: readonly RequestRateLimit[];
  /**
   * Returns the decision of the limiter called `name`, the last one if there are several, or `undefined` if no such limiter has run.
   * @example
   * await req.rateLimit?.of("llm")?.charge(tokens - 1);
   */
  of(name: string): RequestRateLimit | undefined;
  /**
   * Gives back `tokens` (1 by default) to the bucket that this decision took from.
   * @throws {RateLimitError} INVALID_OPTION if several limiters decided about the request and none was chosen with `of(name)` or `all`.
   */
  refund(tokens?: number): Promise<RateLimitResult>;
  /**
   * Charges the same bucket for a cost that is known only afterwards (LLM tokens, bytes).
   * @throws {RateLimitError} INVALID_OPTION if several limiters decided about the request and none was chosen with `of(name)` or `all`.
   */
  charge(tokens: number): Promise<RateLimitResult & { uncharged: number }>;
}

/** What a guard knows about a decision beside its result. */
export interface DecidedBy {
  readonly limiter: Pick<RateLimiter, "name" | "refund" | "charge">;
  readonly key: string;
  /** The policy at the time of the decision; `update` may replace the limiter's policy later. */
  readonly policy: Policy;
  /** The header modes that show this decision to the client. */
  readonly modes: readonly HeaderMode[];
  /** Whether the decision is only observed, and never shown to the client. */
  readonly shadow: boolean;
}

/**
 * A result with methods to correct it. Everything but the result and the name lives on the prototype, so spreads and JSON contain only
 * those. Fields use `declare` because each would otherwise be initialized to `undefined` before it is assigned.
 */
export class Decision implements RequestRateLimit, VisibleDecision {
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
  declare readonly name: string;
  readonly #by: DecidedBy;
  readonly #among: Decisions;
  readonly #isChosen: boolean;
  #modes: readonly HeaderMode[];
  #isShadow: boolean;

  /** Assigns field by field, which takes a quarter of the time of `Object.assign`. */
  constructor(result: RateLimitResult, by: DecidedBy, among: Decisions, isChosen: boolean = true) {
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
    this.name = by.limiter.name;
    this.#by = by;
    this.#among = among;
    this.#isChosen = isChosen;
    this.#modes = by.modes;
    this.#isShadow = by.shadow;
  }

  get all(): readonly RequestRateLimit[] {
    return this.#among.all;
  }

  of(name: string): RequestRateLimit | undefined {
    return this.#among.all.findLast((decision) => decision.name === name);
  }

  async refund(tokens?: number): Promise<RateLimitResult> {
    const { limiter, key } = this.#chosen("refund");
    return limiter.refund(key, tokens);
  }

  async charge(tokens: number): Promise<RateLimitResult & { uncharged: number }> {
    const { limiter, key } = this.#chosen("charge");
    return limiter.charge(key, tokens);
  }

  get result(): RateLimitResult {
    return this;
  }

  get policy(): Policy {
    return this.#by.policy;
  }

  /** The header modes that show this decision to the client; none if it is invisible. */
  get modes(): readonly HeaderMode[] {
    return this.#isShadow ? [] : this.#modes;
  }

  /** Whether only limits in shadow mode have asked for this decision. */
  get isShadow(): boolean {
    return this.#isShadow;
  }

  isOf(limiter: DecidedBy["limiter"], key: string): boolean {
    return this.#by.limiter === limiter && this.#by.key === key;
  }

  /** Shows the decision in further modes, because another guard asked for the same limiter and key. */
  show(modes: readonly HeaderMode[], shadow: boolean): void {
    if (shadow) return;
    this.#modes = unionOf([this.modes, modes]);
    this.#isShadow = false;
  }

  /** Returns this decision as one that refuses to be charged or refunded, because the handler has not said which one it means. */
  unchosen(): Decision {
    return new Decision(this, this.#by, this.#among, false);
  }

  #chosen(method: string): DecidedBy {
    if (this.#isChosen) return this.#by;
    const names = this.all.map(({ name }) => JSON.stringify(name)).join(", ");
    throw new RateLimitError(
      "INVALID_OPTION",
      `Expected one decision to ${method}, got those of ${names}: write rateLimit.of("name").${method}(…), or use rateLimit.all`,
    );
  }
}

/** The property that stores a request's decisions. A global symbol, so that all copies of this package in a process share it. */
const slot: unique symbol = Symbol.for("@ratelimit/core/http decisions");

/** Collects the decisions of all guards about one request, so that a limiter charges each key once and the headers cover all limits. */
export class Decisions {
  /** Copied instead of pushed to: nearly every request has one decision, and pushing to an empty array allocates room for 17. */
  all: readonly Decision[] = [];
  /** Whether scripts from other origins may read the headers. */
  areExposed = false;

  /** Returns a request's decisions, which are stored on its carrier: a WeakMap of all pending requests would cost ten times as much. */
  static of(carrier: object & { [slot]?: Decisions }): Decisions {
    carrier[slot] ??= new Decisions();
    return carrier[slot];
  }

  find(limiter: RateLimiter, key: string): Decision | undefined {
    return this.all.find((decision) => decision.isOf(limiter, key));
  }

  add(result: RateLimitResult, by: DecidedBy): Decision {
    const decision = new Decision(result, by, this);
    this.all = this.all.length === 0 ? [decision] : [...this.all, decision];
    return decision;
  }

  /** The decisions that clients may see. */
  get visible(): readonly Decision[] {
    return this.all.every(isVisible) ? this.all : this.all.filter(isVisible);
  }

  /** The header modes that the visible decisions ask for. */
  get modes(): readonly HeaderMode[] {
    return this.all.length === 1 ? (this.all[0] as Decision).modes : unionOf(this.all.map(({ modes }) => modes));
  }

  /** The tightest decision, with all others in `all`. */
  get carried(): RequestRateLimit {
    const [first, ...others] = this.all;
    return others.length === 0 ? (first as Decision) : (tightestOf(this.all) as Decision).unchosen();
  }
}

function isVisible({ modes }: Decision): boolean {
  return modes.length > 0;
}

/** Combines header modes. Drafts share field names, so only the newest of them is kept. */
function unionOf(asked: readonly (readonly HeaderMode[])[]): readonly HeaderMode[] {
  const all = asked.flat();
  const newest = drafts.findLast((draft) => all.includes(draft));
  return [...new Set(all.map((mode) => (mode === "legacy" || newest === undefined ? mode : newest)))];
}
