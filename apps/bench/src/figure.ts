/** The result of several rounds: the median, and the lowest and highest round. */
export interface Figure {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

export function figure(values: readonly number[]): Figure {
  return { value: median(values), low: Math.min(...values), high: Math.max(...values) };
}

/** Divides round by round, because a second in which the machine is busy slows both subjects. */
export function ratio(numerators: readonly number[], denominators: readonly number[]): Figure {
  return figure(numerators.map((value, round) => value / (denominators[round] ?? Number.NaN)));
}

/** Subtracts round by round, for the same reason. */
export function difference(minuends: readonly number[], subtrahends: readonly number[]): Figure {
  return figure(minuends.map((value, round) => value - (subtrahends[round] ?? Number.NaN)));
}

/** The value that `fraction` of the values are below. */
export function quantile(values: ArrayLike<number>, fraction: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))] ?? Number.NaN;
}

/** Formats a number with three significant digits: `2.13`, `85.4`, `1240`, `101k`, `4.5M`. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size >= 999_500) return `${(value / 1e6).toPrecision(3)}M`;
  if (size >= 10_000) return `${(value / 1000).toFixed(size < 100_000 ? 1 : 0)}k`;
  if (size >= 1000) return value.toFixed(0);
  return value === 0 ? "0" : size < 0.01 ? value.toFixed(3) : value.toPrecision(3);
}

/** Formats a figure with the distance to its lowest and highest round: `2.13 (-4/+7 %)`. */
export function withSpread({ value, low, high }: Figure): string {
  const percent = (edge: number): string => ((edge / value - 1) * 100).toFixed(0);
  return value > 0 && low !== high ? `${digits(value)} (${percent(low)}/+${percent(high)} %)` : digits(value);
}
