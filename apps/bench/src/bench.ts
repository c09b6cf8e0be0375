import { digits } from "./figure.ts";

/** One command of the bench, which measures one group of tables. */
export interface Bench {
  readonly title: string;
  /** What was measured and how, for readers of the figures. */
  readonly about: string;
  run(quick: boolean, settings?: Settings): Promise<Outcome>;
}

/** What a run of the soak may set. */
export interface Settings {
  readonly minutes?: number;
  /** Repeats the faults of the run that printed it. */
  readonly seed?: number;
}

export interface Outcome {
  readonly tables: readonly Table[];
  readonly goals: readonly Goal[];
  /** Remarks that apply to this run only. */
  readonly notes?: readonly string[];
}

export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** A target for a figure, and whether the run met it. */
export interface Goal {
  readonly what: string;
  readonly target: string;
  readonly got: string;
  readonly met: boolean;
}

export function atLeast(what: string, value: number, bound: number, unit: string): Goal {
  return { what, target: `≥ ${bound} ${unit}`, got: digits(value), met: value >= bound };
}

export function atMost(what: string, value: number, bound: number, unit: string): Goal {
  return { what, target: `≤ ${bound} ${unit}`, got: digits(value), met: value <= bound };
}

/** Before it is measured, every subject must admit exactly 5 of 8 calls under a limit of 5. */
export const proof = { limit: 5, calls: 8, admitted: 5 } as const;

/**
 * Makes a subject prove that it limits at all.
 * @throws {Error} if it admits a different number of calls.
 */
export async function prove(name: string, call: () => boolean | Promise<boolean>): Promise<void> {
  let admitted = 0;
  for (let i = 0; i < proof.calls; i++) if (await call()) admitted++;
  if (admitted !== proof.admitted)
    throw new Error(`${name} admitted ${admitted} of ${proof.calls} calls under a limit of ${proof.limit}, so it is not measured`);
}
