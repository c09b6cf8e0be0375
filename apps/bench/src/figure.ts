/** What a measurement came to over its rounds: the median, and how far the rounds lie apart. */
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

/** Ratios are taken round by round, for a busy second of the machine then slows both; the median of them counts. */
export function ratio(over: readonly number[], under: readonly number[]): Figure {
  return figure(over.map((value, round) => value / (under[round] ?? Number.NaN)));
}

/** The same for differences. */
export function difference(from: readonly number[], less: readonly number[]): Figure {
  return figure(from.map((value, round) => value - (less[round] ?? Number.NaN)));
}

/** The value below which `share` of the values lie. */
export function quantile(values: ArrayLike<number>, share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** Three digits that count: `2.13`, `85.4`, `1240`, `101k`, `4.5M`. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size >= 999_500) return `${(value / 1e6).toPrecision(3)}M`;
  if (size >= 10_000) return `${(value / 1000).toFixed(size < 100_000 ? 1 : 0)}k`;
  if (size >= 1000) return value.toFixed(0);
  return value === 0 ? "0" : size < 0.01 ? value.toFixed(3) : value.toPrecision(3);
}

/** `2.13 (-4/+7 %)`. */
export function withSpread({ value, low, high }: Figure): string {
  const percent = (edge: number): string => ((edge / value - 1) * 100).toFixed(0);
  return value > 0 && low !== high ? `${digits(value)} (${percent(low)}/+${percent(high)} %)` : digits(value);
}
