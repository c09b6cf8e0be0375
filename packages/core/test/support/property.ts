// What a check returns does not count, only what it throws: an expectation may be its last word.
import fc from "fast-check";

/** One seed for all properties of a run: `FAST_CHECK_SEED=…` repeats it. */
export const seed: number = Number(process.env["FAST_CHECK_SEED"] ?? Date.now()) | 0;
process.stdout.write(`FAST_CHECK_SEED=${seed}\n`);

/** Tries `holds` on many values; a counterexample is made small and told with its seed. */
export function always<T>(values: fc.Arbitrary<T>, holds: (value: T) => void): void {
  fc.assert(
    fc.property(values, (value) => void holds(value)),
    { seed, numRuns: 500 },
  );
}
