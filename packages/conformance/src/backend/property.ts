import fc from "fast-check";
import type { Fixture } from "./requirement.ts";

/** One seed for all properties of a run; set `FAST_CHECK_SEED` to repeat it. */
const seed = Number(process.env["FAST_CHECK_SEED"] ?? Date.now()) | 0;

/**
 * Runs `verify` on many values. The error of a failure says which value was wrong, shrunk to the simplest one, and how to repeat the run;
 * the trace is left at that value.
 */
export async function always<T>(
  { trace, runs }: Pick<Fixture, "trace" | "runs">,
  values: fc.Arbitrary<T>,
  verify: (value: T) => Promise<void>,
  numRuns: number = 60,
): Promise<void> {
  let returnToFailure = (): void => {};
  const property = fc.asyncProperty(values, async (value) => {
    trace.begin();
    try {
      await verify(value);
    } catch (error) {
      // While it shrinks, fast-check goes on from the last value that failed. So the last failure is the simplest.
      returnToFailure = trace.bookmark();
      throw error;
    }
  });
  const outcome = await fc.check(property, { seed, numRuns: Math.max(1, Math.round(numRuns * runs)) });
  if (!outcome.failed) return;
  returnToFailure();
  const { errorInstance: cause, counterexample } = outcome;
  const reason = cause instanceof Error ? cause.message : String(cause);
  const value = fc.stringify(counterexample?.[0]);
  throw new Error(`${reason}\n\nwith the random value ${value}\nRepeat it with FAST_CHECK_SEED=${seed} in the environment.`, { cause });
}
