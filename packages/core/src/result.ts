import type { Source, Take } from "./backend.ts";
import { aheadOf, remainingOf, retryMsOf } from "./bucket.ts";
import { unixMs } from "./clock.ts";
import type { Limit, Policy } from "./policy.ts";

/** One limit of a decision. Times are seconds. */
export interface LimitResult {
  readonly name: string;
  /** Tokens per period. */
  readonly limit: number;
  /** Tokens in a full bucket. */
  readonly burst: number;
  /** Whole tokens left. */
  readonly remaining: number;
  /** Seconds until this limit would admit the call: 0 where it does, `Infinity` where it never will. */
  readonly retryAfter: number;
  /** Seconds until this limit is full again. */
  readonly resetAfter: number;
  /** Units in use: the exact state, which headers are worked out from. */
  readonly used: number;
}

/** A decision. Its figures are those of the tightest limit: on refusal the one with the longest wait, otherwise the one with least left. */
export interface RateLimitResult {
  readonly allowed: boolean;
  /** Tokens per period: 100. */
  readonly limit: number;
  /** Tokens in a full bucket: 150. */
  readonly burst: number;
  /** Whole tokens left: 149. */
  readonly remaining: number;
  /** Seconds until this very call would be admitted: 0 when it was, `Infinity` when its cost exceeds the burst. */
  readonly retryAfter: number;
  /** Seconds until the bucket is full. */
  readonly resetAfter: number;
  /** The same moment as Unix seconds. */
  readonly resetAt: number;
  /** Name of the tightest limit. */
  readonly tightest: string;
  /** Every limit, in the policy's order; none where the backend was out and nobody counted. */
  readonly limits: readonly LimitResult[];
  /** Tokens that the call asked for. */
  readonly cost: number;
  /** Who decided. */
  readonly source: Source;
  /** Whether the backend was out. */
  readonly degraded: boolean;
}

/** The result of a call of `cost` tokens that a backend answered with `take`. */
export function toResult(policy: Policy, take: Take, cost: number): RateLimitResult {
  const { source = "backend" } = take;
  if (source === "open" || source === "closed") return unseen(policy.limits[0], source, cost);
  if (policy.limits.length === 1) {
    const only = limitResult(policy.limits[0], unitsOf(take, 0), take, cost);
    return new Result(only, [only], take, cost, source);
  }
  const limits = policy.limits.map((limit, i) => limitResult(limit, unitsOf(take, i), take, cost));
  return new Result(limits.reduce(take.allowed ? lessLeft : longerWait), limits, take, cost, source);
}

/** Units in use of the i-th limit. */
export function unitsOf({ used }: Take, i: number): number {
  return typeof used === "number" ? used : (used[i] as number);
}

/** Tokens that must be left of a limit for a call of `cost`: more than its cost where the bucket is divided by processes. */
export function neededOf(limit: Limit, { need, instances = 1 }: Take, cost: number): number {
  return cost > limit.burst ? cost : Math.min(limit.burst, need ?? cost * instances);
}

/** A result of its own for every call; nothing here changes it later. */
class Result implements RateLimitResult {
  readonly allowed: boolean;
  readonly limit: number;
  readonly burst: number;
  readonly remaining: number;
  readonly retryAfter: number;
  readonly resetAfter: number;
  readonly resetAt: number;
  readonly tightest: string;
  readonly limits: readonly LimitResult[];
  readonly cost: number;
  readonly source: Source;
  readonly degraded: boolean;

  constructor(tightest: LimitResult, limits: readonly LimitResult[], take: Take, cost: number, source: Source) {
    this.allowed = take.allowed;
    this.limit = tightest.limit;
    this.burst = tightest.burst;
    this.remaining = tightest.remaining;
    this.retryAfter = tightest.retryAfter;
    this.resetAfter = tightest.resetAfter;
    this.resetAt = (unixMs(take.at) + Math.round(tightest.resetAfter * 1000)) / 1000;
    this.tightest = tightest.name;
    this.limits = limits;
    this.cost = cost;
    this.source = source;
    this.degraded = source === "local";
  }

  toJSON(): RateLimitResult {
    return { ...this };
  }
}

function limitResult(limit: Limit, used: number, take: Take, cost: number): LimitResult {
  const { instances } = take;
  const remaining = remainingOf(limit, used);
  return {
    name: limit.name,
    limit: limit.rate,
    burst: limit.burst,
    remaining: instances === undefined ? remaining : Math.floor(remaining / Math.min(instances, limit.burst)),
    retryAfter: take.allowed ? 0 : retryMsOf(limit, used, neededOf(limit, take, cost)) / 1000,
    resetAfter: aheadOf(limit, used) / 1000,
    used,
  };
}

function lessLeft(a: LimitResult, b: LimitResult): LimitResult {
  return b.remaining < a.remaining ? b : a;
}

function longerWait(a: LimitResult, b: LimitResult): LimitResult {
  return b.retryAfter > a.retryAfter ? b : a;
}

/** The backend was out, and the choice for that was made beforehand. */
function unseen(limit: Limit, source: "open" | "closed", cost: number): RateLimitResult {
  const allowed = source === "open";
  const wait = allowed ? 0 : 1;
  return {
    allowed,
    limit: limit.rate,
    burst: limit.burst,
    remaining: allowed ? limit.burst : 0,
    retryAfter: wait,
    resetAfter: wait,
    resetAt: Date.now() / 1000 + wait,
    tightest: limit.name,
    limits: [],
    cost,
    source,
    degraded: true,
  };
}
