import { digits } from "./figure.ts";

/** One command of the bench. */
export interface Bench {
  readonly title: string;
  /** What was done, for whoever reads the figures. */
  readonly about: string;
  run(quick: boolean): Promise<Outcome>;
}

export interface Outcome {
  readonly tables: readonly Table[];
  readonly goals: readonly Goal[];
  /** What only this run can tell, such as that nothing could be pinned to a core. */
  readonly notes?: readonly string[];
}

export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** What a figure was meant to reach, and whether it did. */
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

/** What every subject must do before it is measured: of 8 calls under a limit of 5 admit exactly 5. */
export const proof = { limit: 5, calls: 8, admitted: 5 } as const;

/** @throws when the subject admits another number. */
export async function prove(name: string, call: () => boolean | Promise<boolean>): Promise<void> {
  let admitted = 0;
  for (let i = 0; i < proof.calls; i++) if (await call()) admitted++;
  if (admitted !== proof.admitted)
    throw new Error(`${name} admitted ${admitted} of ${proof.calls} calls under a limit of ${proof.limit}: it is not measured`);
}
