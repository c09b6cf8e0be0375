import { type Recorded, worstWindow } from "@ratelimit/conformance";
import { limit } from "./loads.ts";
import type { Seen } from "./station.ts";

/** What the processes of a run did together. */
export interface Merged {
  /** Tokens that were admitted until the last call was made, and that one exact bucket would have admitted of the same calls. */
  readonly admitted: number;
  readonly ideal: number;
  /** The most tokens by which a window exceeded `burst + rate * length`; 0 if none did. */
  readonly excess: number;
  readonly decisions: number;
  readonly leased: number;
  /** The tokens admitted by the process that got fewest, and by the one that got most. */
  readonly fewest: number;
  readonly most: number;
}

export function merge(seen: readonly Seen[]): Merged {
  const sum = (of: (process: Seen) => number): number => seen.reduce((total, process) => total + of(process), 0);
  const tokens = seen.map(({ admitted }) => admitted.length / 2);
  const history = seen.flatMap(({ admitted }) =>
    pairs(admitted).map(([from, to]): Recorded => ({ key: "key", from, to, cost: 1, outcome: "admitted" })),
  );
  const batches = seen.flatMap((process) => pairs(process.batches));
  const last = batches.reduce((latest, [at]) => Math.max(latest, at), 0);
  return {
    admitted: history.filter(({ to }) => to <= last + 1).length,
    ideal: idealOf(batches),
    excess: Math.max(0, worstWindow(history, { ...limit, grainMs: 0 }).excess),
    decisions: sum(({ decisions }) => decisions),
    leased: sum(({ leased }) => leased),
    fewest: Math.min(...tokens),
    most: Math.max(...tokens),
  };
}

/** Returns how many tokens an exact bucket admits of these batches of calls, each given as its time and its number of calls. */
export function idealOf(batches: readonly (readonly [at: number, calls: number])[]): number {
  let [used, last, admitted] = [0, 0, 0];
  for (const [at, calls] of [...batches].sort(([a], [b]) => a - b)) {
    used = Math.max(0, used - ((at - last) * limit.rate) / 1000);
    last = at;
    const taken = Math.min(calls, Math.floor(limit.burst - used));
    used += taken;
    admitted += taken;
  }
  return admitted;
}

function pairs(flat: readonly number[]): [number, number][] {
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i] as number, flat[2 * i + 1] as number]);
}
