import fc from "fast-check";

/** The seed of all properties in a run. To repeat a run, set `FAST_CHECK_SEED`. */
export const seed: number = Number(process.env["FAST_CHECK_SEED"] ?? Date.now()) | 0;
process.stdout.write(`FAST_CHECK_SEED=${seed}\n`);

/** Runs `holds` on many values, and reports the smallest value for which it throws, with the seed. What it returns does not matter. */
export function always<T>(values: fc.Arbitrary<T>, holds: (value: T) => void): void {
  fc.assert(
    fc.property(values, (value) => void holds(value)),
    { seed, numRuns: 500 },
  );
}
