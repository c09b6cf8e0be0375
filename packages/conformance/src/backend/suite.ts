import { test } from "vitest";
import { charge, debt, refund } from "./adjustments.ts";
import { answers } from "./answers.ts";
import { blockAcrossPolicies, blockByCall, blockOnRefusal } from "./blocking.ts";
import { clampIsKept, clockBack, lookIsKept } from "./clock-back.ts";
import { crowd, nothingLost, sameTick } from "./concurrency.ts";
import { expiry, fullAtReset, liveFullAtReset } from "./expiry.ts";
import { anyKeys, anyNames, joinedNames, strangeKeys } from "./keys.ts";
import { oracleEquality } from "./oracle-equality.ts";
import { madeOrder } from "./order.ts";
import { loweredLimit, policyChange, slack } from "./policy-change.ts";
import { close, reset } from "./resetting.ts";
import { aboveBurst, liveRetryAfter, retryAfter } from "./retry-after.ts";
import type { BackendRequirement, MakeBackend } from "./subject.ts";
import { allOrNone, look, monotony, sum } from "./sums.ts";
import { takingTurns, turnsComeTrue } from "./taking-turns.ts";
import { liveWindowBound, windowBound } from "./window-bound.ts";

/** The requirements for every backend: first the algorithm, then keys, concurrency and end of life. */
export const backendRequirements: readonly BackendRequirement[] = [
  answers,
  oracleEquality,
  windowBound,
  liveWindowBound,
  retryAfter,
  liveRetryAfter,
  aboveBurst,
  sum,
  monotony,
  look,
  allOrNone,
  expiry,
  fullAtReset,
  liveFullAtReset,
  clockBack,
  clampIsKept,
  lookIsKept,
  refund,
  charge,
  debt,
  policyChange,
  loweredLimit,
  slack,
  takingTurns,
  turnsComeTrue,
  blockOnRefusal,
  blockByCall,
  blockAcrossPolicies,
  strangeKeys,
  anyKeys,
  anyNames,
  joinedNames,
  sameTick,
  crowd,
  nothingLost,
  madeOrder,
  reset,
  close,
];

/**
 * Registers a test for each backend requirement.
 *
 * With `liveClock`, the backend's clock runs by itself, and the requirements that need a clock under test control are skipped. Run the
 * suite once with a clock that the test moves, and once on the live one.
 *
 * @example
 * backendSuite(() => {
 *   const clock = new ManualClock();
 *   return { backend: new MemoryBackend({ clock }), clock };
 * });
 */
export function backendSuite(make: MakeBackend, { liveClock = false }: { liveClock?: boolean } = {}): void {
  const provable = backendRequirements.filter(({ clock }) => clock === "any" || !liveClock);
  for (const requirement of provable) test(requirement.name, () => requirement.holds(make));
}
