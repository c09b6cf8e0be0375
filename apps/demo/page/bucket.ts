/** The bucket as the page draws it between two answers, in core's own arithmetic. Times are ms on the clock of the page. */
import { type Limit, msUntilFull, remainingOf, retryMsOf, slackUnits, usedOf } from "@ratelimit/core/backend";

/** What an answer said about a bucket. */
export interface Level {
  readonly limit: Limit;
  /** Units in use at `at`. */
  readonly used: number;
  readonly at: number;
  /** The time until which the client is blocked, if later than `at`. */
  readonly blockedUntil: number;
  /** The number of processes that split the bucket because Redis is out; otherwise 1. */
  readonly instances: number;
}

/** A bucket that nobody has used. */
export function fullLevel(limit: Limit, at: number): Level {
  return { limit, used: 0, at, blockedUntil: at, instances: 1 };
}

/** Units in use at `now`. */
function usedAt({ limit, used, at }: Level, now: number): number {
  return usedOf(limit, msUntilFull(limit, used) - Math.max(0, now - at), slackUnits(limit, used));
}

/** How many processes split the bucket: each grants at least one token. */
function shares({ limit, instances }: Level): number {
  return Math.max(1, Math.min(instances, limit.burst));
}

/** Tokens in the bucket at `now`, with fractions: what has flowed back of the next one. */
export function tokensAt(level: Level, now: number): number {
  const { limit } = level;
  return Math.max(0, (limit.capacityUnits - usedAt(level, now)) / limit.unitsPerToken / shares(level));
}

/** The most tokens that the bucket can hold. */
export function sizeOf(level: Level): number {
  return level.limit.burst / shares(level);
}

/** Whole tokens left at `now`, as `X-RateLimit-Remaining` counts them: 0 during a block. */
export function remainingAt(level: Level, now: number): number {
  if (now < level.blockedUntil) return 0;
  return Math.floor(remainingOf(level.limit, usedAt(level, now)) / shares(level));
}

/** Milliseconds until a request of `cost` is admitted: 0 if it would be now, `Infinity` if it never will be. */
export function retryMsAt(level: Level, cost: number, now: number): number {
  const { limit, instances, blockedUntil } = level;
  const needed = cost > limit.burst ? cost : Math.min(limit.burst, cost * instances);
  return Math.max(retryMsOf(limit, usedAt(level, now), needed), blockedUntil - now, 0);
}
