/**
 * The arithmetic of the token bucket: pure functions on integers, without a clock.
 *
 * The state of a limit is `used`, the units that were taken and have not drained yet: 0 in a full bucket, `capacityUnits` in an empty one.
 * A backend stores it as the pair (ahead, slack): the bucket is full again in `ahead` ms, the last of which could drain `slack` more.
 */
import type { Limit } from "./policy.ts";

/** Milliseconds until a limit is full again. Most limits drain one unit per millisecond, so a check can skip the slow division. */
export function msUntilFull(limit: Limit, used: number): number {
  return limit.unitsPerMs === 1 ? used : Math.ceil(used / limit.unitsPerMs);
}

/** Units that the last millisecond could drain beyond `used`: 0 <= slack < `unitsPerMs`. */
export function slackUnits(limit: Limit, used: number): number {
  return msUntilFull(limit, used) * limit.unitsPerMs - used;
}

/** Units in use of a limit that is full again in `ahead` ms. A slack of another rate counts as 0. A NaN clock leads to refusals. */
export function usedOf(limit: Limit, ahead: number, slack: number): number {
  return ahead <= 0 ? 0 : ahead * limit.unitsPerMs - (slack < limit.unitsPerMs ? slack : 0);
}

/** The most units that may be in use: a debt of one burst. Only a clock that stepped back or a lowered limit leads to more. */
export function debtCeiling(limit: Limit): number {
  return 2 * limit.capacityUnits;
}

/** Whether `cost` tokens are left. */
export function fits(limit: Limit, used: number, cost: number): boolean {
  return cost <= limit.burst && used + cost * limit.unitsPerToken <= limit.capacityUnits;
}

/** Returns `used` after `tokens` were charged (> 0) or given back (< 0), between 0 and the debt ceiling. */
export function adjusted(limit: Limit, used: number, tokens: number): number {
  const bound = 2 * limit.burst;
  const units = Math.min(bound, Math.max(-bound, tokens)) * limit.unitsPerToken;
  return Math.min(debtCeiling(limit), Math.max(0, used + units));
}

/** Whole tokens of a charge that exceed the debt of one burst, rounded up, to be reported to the caller. */
export function unchargedOf(limit: Limit, used: number, tokens: number): number {
  return Math.max(0, tokens - Math.floor((debtCeiling(limit) - used) / limit.unitsPerToken));
}

/** Whole tokens left. */
export function remainingOf(limit: Limit, used: number): number {
  return Math.max(0, Math.floor((limit.capacityUnits - used) / limit.unitsPerToken));
}

/** Milliseconds until `cost` fits: 0 if it does now, `Infinity` if it never will. */
export function retryMsOf(limit: Limit, used: number, cost: number): number {
  if (cost > limit.burst) return Number.POSITIVE_INFINITY;
  return Math.max(0, Math.ceil((used + cost * limit.unitsPerToken - limit.capacityUnits) / limit.unitsPerMs));
}
