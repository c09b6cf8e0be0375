import type { RegisterTest } from "../register.ts";
import { charge, debt, refund } from "./adjustments.ts";
import { answers } from "./answers.ts";
import { blockAcrossPolicies, blockByCall, blockOnRefusal } from "./blocking.ts";
import { clampIsKept, clockBack, peekIsKept } from "./clock-back.ts";
import { crowd, nothingLost, sameTick } from "./concurrency.ts";
import { expiry, fullAtReset, liveFullAtReset } from "./expiry.ts";
import { anyKeys, anyNames, joinedNames, strangeKeys } from "./keys.ts";
import { oracleEquality } from "./oracle-equality.ts";
import { madeOrder } from "./order.ts";
import { loweredLimit, policyChange, slack } from "./policy-change.ts";
import type { BackendRequirement, MakeBackend } from "./requirement.ts";
import { close, reset } from "./resetting.ts";
import { aboveBurst, liveRetryAfter, retryAfter } from "./retry-after.ts";
import { allOrNone, monotony, peekChangesNothing, sum } from "./sums.ts";
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
  peekChangesNothing,
  allOrNone,
  expiry,
  fullAtReset,
  liveFullAtReset,
  clockBack,
  clampIsKept,
  peekIsKept,
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

/** What the backend under test can do, and how much to try. */
export interface BackendCapabilities {
  /**
   * Whether the backend's clock runs by itself. The requirements that need a clock under test control are then left out.
   * @defaultValue `false`
   */
  readonly liveClock?: boolean | undefined;
  /**
   * Multiplies the number of random values that each property tries, for example by 0.2 for a slow store.
   * @defaultValue 1
   */
  readonly runs?: number | undefined;
  /**
   * Milliseconds after which Vitest or Jest stops a test. `node:test` has no limit unless you set one.
   * @defaultValue 60,000
   */
  readonly timeoutMs?: number | undefined;
}

/**
 * Registers a test for each requirement that every backend must meet. A failure names the requirement and shows the calls that led to it.
 *
 * `test` is that of Vitest, of `node:test` or of Jest. Run the suite once with a clock that the test moves, and once with `liveClock`.
 *
 * @example
 * backendSuite(test, () => {
 *   const clock = new ManualClock();
 *   return { backend: new MemoryBackend({ clock }), clock };
 * });
 */
export function backendSuite(
  test: RegisterTest,
  make: MakeBackend,
  { liveClock = false, runs = 1, timeoutMs = 60_000 }: BackendCapabilities = {},
): void {
  const testable = backendRequirements.filter(({ clock }) => clock === "any" || !liveClock);
  for (const requirement of testable) test(requirement.name, () => requirement.verify(make, runs), timeoutMs);
}
