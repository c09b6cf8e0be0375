import { type Minutes, minuteMs } from "../replay/minutes.ts";

/** Counts in steps of equal length, including steps without a request. */
export interface Bins {
  readonly stepMs: number;
  /** Unix times in ms. */
  readonly starts: number[];
  readonly requests: number[];
  /** For each policy, the refused requests of each step. */
  readonly refused: number[][];
}

/** The lengths that a step may have, in minutes. Longer ones are whole weeks. */
const stepMinutes = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440];
const weekMinutes = 7 * 1440;

/** Adds minutes up to at most `most` steps that read well: 5 minutes, an hour, a day. */
export function binned(minutes: Minutes, most: number): Bins {
  const first = minutes.starts[0];
  if (first === undefined) return { stepMs: minuteMs, starts: [], requests: [], refused: minutes.refused.map(() => []) };
  const last = minutes.starts.at(-1) as number;
  const step = stepFor(first, last, most);
  const firstBin = Math.floor(first / step);
  const count = Math.floor(last / step) - firstBin + 1;
  const binOf = (minute: number): number => Math.floor(minute / step) - firstBin;
  const summed = (column: readonly number[]): number[] => {
    const sums = Array<number>(count).fill(0);
    for (const [i, minute] of minutes.starts.entries()) sums[binOf(minute)] = (sums[binOf(minute)] as number) + (column[i] as number);
    return sums;
  };
  return {
    stepMs: step * minuteMs,
    starts: Array.from({ length: count }, (_, i) => (firstBin + i) * step * minuteMs),
    requests: summed(minutes.requests),
    refused: minutes.refused.map(summed),
  };
}

function stepFor(first: number, last: number, most: number): number {
  const fits = (step: number): boolean => Math.floor(last / step) - Math.floor(first / step) < most;
  return stepMinutes.find(fits) ?? Math.ceil((last - first + weekMinutes) / most / weekMinutes) * weekMinutes;
}
