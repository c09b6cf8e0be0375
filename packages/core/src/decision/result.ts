import type { Awaitable, BackendReply, DecisionSource } from "../backend/backend.ts";
import { unixMs } from "../clock.ts";
import type { Limit, Policy } from "../policy/policy.ts";
import { msUntilFull, remainingOf, retryMsOf } from "../policy/token-bucket.ts";

/** The state of one limit after a decision. */
export interface LimitResult {
  readonly name: string;
  /** Tokens per period. */
  readonly limit: number;
  /** Tokens in a full bucket. */
  readonly burst: number;
  /** Whole tokens left; 0 while the key is blocked. */
  readonly remaining: number;
  /** Seconds until this limit would admit the call: 0 if it does now, `Infinity` if it never will. */
  readonly retryAfter: number;
  /** Seconds until this limit is full again. */
  readonly resetAfter: number;
  /** Units in use: the exact state, from which the headers are computed. */
  readonly used: number;
}

/**
 * The result of a call. Its figures come from the tightest limit: the one with the longest wait if the call was refused, otherwise the one
 * with the fewest tokens left.
 */
export interface RateLimitResult {
  readonly allowed: boolean;
  /** Tokens per period, such as 100. */
  readonly limit: number;
  /** Tokens in a full bucket, such as 150. */
  readonly burst: number;
  /** Whole tokens left, such as 149; 0 while the key is blocked. */
  readonly remaining: number;
  /** Seconds until the same call would be admitted: 0 if it was, `Infinity` if its cost exceeds the burst. */
  readonly retryAfter: number;
  /** Seconds until the bucket is full. */
  readonly resetAfter: number;
  /** Unix time in seconds at which the bucket is full. */
  readonly resetAt: number;
  /** The name of the tightest limit. */
  readonly tightest: string;
  /** All limits, in the policy's order. Empty if the backend was out and nothing was counted. */
  readonly limits: readonly LimitResult[];
  /** The tokens that the call asked for. */
  readonly cost: number;
  /** What made the decision. */
  readonly source: DecisionSource;
  /** Whether the backend was out. */
  readonly degraded: boolean;
}

/**
 * Whether the decision has been made. It reads a field instead of `then`: V8 wraps an object whose shape it has just seen in a promise at
 * a third of the cost.
 */
export function isDecided(decision: Awaitable<RateLimitResult>): decision is RateLimitResult {
  return (decision as Partial<RateLimitResult>).allowed !== undefined;
}

/** Turns a backend's reply to a call of `cost` tokens into its result. */
export function toResult(policy: Policy, reply: BackendReply, cost: number): RateLimitResult {
  const { limits } = policy;
  if (reply.source === "open" || reply.source === "closed") return uncounted(limits, reply.source, cost);
  return limits.length === 1 ? resultOf(limits[0], unitsOf(reply, 0), reply, cost) : resultOfAll(limits, reply, cost);
}

/** Returns the tightest limit's own result, extended to list every limit. */
function resultOfAll(limits: readonly Limit[], reply: BackendReply, cost: number): RateLimitResult {
  const alone = limits.map((limit, i) => resultOf(limit, unitsOf(reply, i), reply, cost));
  return { ...alone.reduce(reply.allowed ? lessLeft : longerWait), limits: alone.flatMap((result) => result.limits) };
}

/** Units in use of the i-th limit. */
export function unitsOf({ used }: Pick<BackendReply, "used">, i: number): number {
  return typeof used === "number" ? used : (used[i] as number);
}

/** Tokens that a limit must have left to admit a call of `cost`: more than the cost if processes split the bucket. */
export function neededOf(limit: Limit, { need, instances = 1 }: BackendReply, cost: number): number {
  return cost > limit.burst ? cost : Math.min(limit.burst, need ?? cost * instances);
}

/** The result of a policy whose only limit is `limit`. A single literal, for speed: docs/decisions/plain-results.md. */
function resultOf(limit: Limit, used: number, reply: BackendReply, cost: number): RateLimitResult {
  const { name, rate, burst } = limit;
  const { allowed, instances, blockedMs, source = "backend" } = reply;
  const left = blockedMs === undefined ? remainingOf(limit, used) : 0;
  const remaining = instances === undefined ? left : localPortion(limit, left, instances);
  const retryAfter = allowed ? 0 : Math.max(retryMsOf(limit, used, neededOf(limit, reply, cost)), blockedMs ?? 0) / 1000;
  const ahead = Math.max(msUntilFull(limit, used), blockedMs ?? 0);
  const resetAfter = ahead / 1000;
  return {
    allowed,
    limit: rate,
    burst,
    remaining,
    retryAfter,
    resetAfter,
    resetAt: (unixMs(reply.at) + ahead) / 1000,
    tightest: name,
    limits: [{ name, limit: rate, burst, remaining, retryAfter, resetAfter, used }],
    cost,
    source,
    degraded: source === "local",
  };
}

/** The part of the remaining tokens that this process may admit, if `instances` processes split the bucket. */
function localPortion(limit: Limit, remaining: number, instances: number): number {
  return Math.floor(remaining / Math.max(1, Math.min(instances, limit.burst)));
}

function lessLeft(a: RateLimitResult, b: RateLimitResult): RateLimitResult {
  return b.remaining < a.remaining ? b : a;
}

function longerWait(a: RateLimitResult, b: RateLimitResult): RateLimitResult {
  return b.retryAfter > a.retryAfter ? b : a;
}

/** The result if the backend was out and nothing was counted. A cost above the burst is refused even in the mode `"open"`. */
function uncounted(limits: Policy["limits"], source: "open" | "closed", cost: number): RateLimitResult {
  const [limit] = limits;
  const isHopeless = source === "open" && limits.some(({ burst }) => cost > burst);
  const allowed = source === "open" && !isHopeless;
  const wait = allowed ? 0 : 1;
  return {
    allowed,
    limit: limit.rate,
    burst: limit.burst,
    remaining: allowed ? limit.burst : 0,
    retryAfter: isHopeless ? Number.POSITIVE_INFINITY : wait,
    resetAfter: wait,
    resetAt: Date.now() / 1000 + wait,
    tightest: limit.name,
    limits: [],
    cost,
    source,
    degraded: true,
  };
}
