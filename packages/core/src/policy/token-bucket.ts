/**
 * The arithmetic of the token bucket: pure, without a clock, integers only.
 *
 * The state of a limit is `used`, the units that were taken and have not drained yet: 0 is a full bucket, `full` an empty one.
 * A backend keeps it as the pair (ahead, slack): the bucket is full again in `ahead` ms, less `slack` units of the last of them.
 */
import type { Limit } from "./policy.ts";

/** Milliseconds until a limit is full again. Most limits drain a unit in a millisecond: a division of doubles is what a check can spare. */
export function msUntilFull(limit: Limit, used: number): number {
  return limit.unitsPerMs === 1 ? used : Math.ceil(used / limit.unitsPerMs);
}

/** Units that the last of the `ahead` milliseconds drains in vain: 0 <= slack < r. */
export function slackUnits(limit: Limit, used: number): number {
  return msUntilFull(limit, used) * limit.unitsPerMs - used;
}

/** The units in use of a limit that is full again in `ahead` ms; a slack of another rate counts as 0. A clock that reads NaN refuses. */
export function usedOf(limit: Limit, ahead: number, slack: number): number {
  return ahead <= 0 ? 0 : ahead * limit.unitsPerMs - (slack < limit.unitsPerMs ? slack : 0);
}

/** The most that can be in use: a debt of one burst. More comes of a clock that stepped back, or of a limit that was lowered. */
export function debtCeiling(limit: Limit): number {
  return 2 * limit.capacityUnits;
}

/** Whether `cost` tokens are left. */
export function fits(limit: Limit, used: number, cost: number): boolean {
  return cost <= limit.burst && used + cost * limit.unitsPerToken <= limit.capacityUnits;
}

/** `used` after `tokens` were charged (> 0) or given back (< 0): never below a full bucket, never beyond the debt. */
export function adjusted(limit: Limit, used: number, tokens: number): number {
  const bound = 2 * limit.burst;
  const units = Math.min(bound, Math.max(-bound, tokens)) * limit.unitsPerToken;
  return Math.min(debtCeiling(limit), Math.max(0, used + units));
}

/** Whole tokens of a charge that the debt of one burst could not take, rounded up: told, never lost. */
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
