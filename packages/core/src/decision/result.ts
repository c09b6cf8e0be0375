import type { Awaitable, BackendReply, DecisionSource } from "../backend/backend.ts";
import { unixMs } from "../clock.ts";
import type { Limit, Policy } from "../policy/policy.ts";
import { msUntilFull, remainingOf, retryMsOf } from "../policy/token-bucket.ts";

/** One limit of a decision. Times are seconds. */
export interface LimitResult {
  readonly name: string;
  /** Tokens per period. */
  readonly limit: number;
  /** Tokens in a full bucket. */
  readonly burst: number;
  /** Whole tokens left; 0 while the key is blocked. */
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
  /** Whole tokens left: 149. 0 while the key is blocked. */
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
  readonly source: DecisionSource;
  /** Whether the backend was out. */
  readonly degraded: boolean;
}

/** Whether the decision is there. By a field, not by `then`: of an object whose shape it has just seen, V8 makes a promise for a third of the price. */
export function isDecided(decision: Awaitable<RateLimitResult>): decision is RateLimitResult {
  return (decision as Partial<RateLimitResult>).allowed !== undefined;
}

/** The result of a call of `cost` tokens that a backend answered with `take`. */
export function toResult(policy: Policy, take: BackendReply, cost: number): RateLimitResult {
  const { limits } = policy;
  if (take.source === "open" || take.source === "closed") return unseen(limits, take.source, cost);
  return limits.length === 1 ? resultOf(limits[0], unitsOf(take, 0), take, cost) : resultOfAll(limits, take, cost);
}

/** The tightest limit's, as if it were the only one, with all of them in it. */
function resultOfAll(limits: readonly Limit[], take: BackendReply, cost: number): RateLimitResult {
  const alone = limits.map((limit, i) => resultOf(limit, unitsOf(take, i), take, cost));
  return { ...alone.reduce(take.allowed ? lessLeft : longerWait), limits: alone.flatMap((result) => result.limits) };
}

/** Units in use of the i-th limit. */
export function unitsOf({ used }: Pick<BackendReply, "used">, i: number): number {
  return typeof used === "number" ? used : (used[i] as number);
}

/** Tokens that must be left of a limit for a call of `cost`: more than its cost where the bucket is divided by processes. */
export function neededOf(limit: Limit, { need, instances = 1 }: BackendReply, cost: number): number {
  return cost > limit.burst ? cost : Math.min(limit.burst, need ?? cost * instances);
}

/** The result where `limit` is the only one. A literal, filled in one go: docs/decisions/plain-results.md. */
function resultOf(limit: Limit, used: number, take: BackendReply, cost: number): RateLimitResult {
  const { name, rate, burst } = limit;
  const { allowed, instances, blockedMs, source = "backend" } = take;
  const left = blockedMs === undefined ? remainingOf(limit, used) : 0;
  const remaining = instances === undefined ? left : shareOf(limit, left, instances);
  const retryAfter = allowed ? 0 : Math.max(retryMsOf(limit, used, neededOf(limit, take, cost)), blockedMs ?? 0) / 1000;
  const ahead = Math.max(msUntilFull(limit, used), blockedMs ?? 0);
  const resetAfter = ahead / 1000;
  return {
    allowed,
    limit: rate,
    burst,
    remaining,
    retryAfter,
    resetAfter,
    resetAt: (unixMs(take.at) + ahead) / 1000,
    tightest: name,
    limits: [{ name, limit: rate, burst, remaining, retryAfter, resetAfter, used }],
    cost,
    source,
    degraded: source === "local",
  };
}

/** What is left of a bucket that `instances` processes divide. */
function shareOf(limit: Limit, remaining: number, instances: number): number {
  return Math.floor(remaining / Math.max(1, Math.min(instances, limit.burst)));
}

function lessLeft(a: RateLimitResult, b: RateLimitResult): RateLimitResult {
  return b.remaining < a.remaining ? b : a;
}

function longerWait(a: RateLimitResult, b: RateLimitResult): RateLimitResult {
  return b.retryAfter > a.retryAfter ? b : a;
}

/** The backend was out, and the choice for that was made beforehand. What the policy never admits is refused all the same. */
function unseen(limits: Policy["limits"], source: "open" | "closed", cost: number): RateLimitResult {
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
