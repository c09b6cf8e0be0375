/**
 * A length of time with its unit: `"250ms"`, `"30s"`, `"1m"`, `"1h"`, `"1d"`. Any string compiles, so that options can come from variables
 * and configuration files; one that is not of this form is reported when it is used.
 */
export type TimeSpan = `${number}${"ms" | "s" | "m" | "h" | "d"}` | (string & Record<never, never>);

/** A length of time: a number in **seconds**, or a string with its unit. */
export type Duration = number | TimeSpan;

/** Describes a valid duration in error messages. */
export const durationForm = 'seconds, or a string such as "1m", of whole milliseconds above 0';

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Converts a duration to whole milliseconds; `undefined` if it is not positive, not whole to within a millionth, or too large. */
export function durationMs(value: unknown): number | undefined {
  return typeof value === "number" ? wholeMs(value * 1000) : timeSpanMs(value);
}

/** Does what `durationMs` does, but requires a unit: a bare timeout of 100 would mean 100 seconds. */
export function timeSpanMs(value: unknown): number | undefined {
  const [, amount, unit = ""] = (typeof value === "string" && /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(value)) || [];
  return amount === undefined ? undefined : wholeMs(Number(amount) * (unitMs[unit] as number));
}

function wholeMs(ms: number): number | undefined {
  const whole = Math.round(ms);
  return whole > 0 && Number.isSafeInteger(whole) && Math.abs(ms - whole) <= 1e-6 ? whole : undefined;
}
