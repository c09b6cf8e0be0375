/** A length of time with its unit: `"250ms"`, `"30s"`, `"1m"`, `"1h"`, `"1d"`. */
export type TimeSpan = `${number}${"ms" | "s" | "m" | "h" | "d"}`;

/** A length of time: a number is **seconds**, a string carries its unit. */
export type Duration = number | TimeSpan;

/** What a message says that a duration must be. */
export const durationForm = 'seconds, or a string such as "1m", of whole milliseconds above 0';

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Whole milliseconds of a duration, or `undefined` where it is none: not positive, not whole within a millionth, not countable. */
export function durationMs(value: unknown): number | undefined {
  return typeof value === "number" ? wholeMs(value * 1000) : timeSpanMs(value);
}

/** The same for a text with a unit only: a bare deadline of 100 would be 100 seconds. */
export function timeSpanMs(value: unknown): number | undefined {
  const [, amount, unit = ""] = (typeof value === "string" && /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(value)) || [];
  return amount === undefined ? undefined : wholeMs(Number(amount) * (unitMs[unit] as number));
}

function wholeMs(ms: number): number | undefined {
  const whole = Math.round(ms);
  return whole > 0 && Number.isSafeInteger(whole) && Math.abs(ms - whole) <= 1e-6 ? whole : undefined;
}
