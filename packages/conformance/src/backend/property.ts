import fc from "fast-check";

/** One seed for all properties of a run; set `FAST_CHECK_SEED` to repeat it. */
const seed = Number(process.env["FAST_CHECK_SEED"] ?? Date.now()) | 0;
process.stdout.write(`FAST_CHECK_SEED=${seed}\n`);

/** Runs `holds` on many values, and reports a shrunk counterexample with its seed. */
export async function always<T>(values: fc.Arbitrary<T>, holds: (value: T) => Promise<void>, numRuns: number = 60): Promise<void> {
  await fc.assert(fc.asyncProperty(values, holds), { seed, numRuns });
}
