const months = "JanFebMarAprMayJunJulAugSepOctNovDec";

/** Reads `10/Oct/2000:13:55:36 -0700`, the time of Apache and nginx, as Unix time in ms; NaN if it is not such a time. */
export function clfTime(text: string): number {
  const [, day, month = "", year, hour, minute, second, sign, zoneHours, zoneMinutes] =
    /^(\d\d)\/([A-Z][a-z]{2})\/(\d{4}):(\d\d):(\d\d):(\d\d)(?:\.\d+)? ([+-])(\d\d)(\d\d)$/.exec(text) ?? [];
  const index = months.indexOf(month);
  if (day === undefined || index < 0 || index % 3 !== 0) return Number.NaN;
  const zone = Number(zoneHours) * 60 + Number(zoneMinutes);
  const utc = Date.UTC(Number(year), index / 3, Number(day), Number(hour), Number(minute), Number(second));
  return utc - (sign === "-" ? -zone : zone) * 60_000;
}

/** A date and time without a zone, which `Date.parse` would take for local time. */
const withoutZone = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?$/;

/**
 * Reads any time that a JSON log may hold as Unix time in ms; NaN if it is none. A number is in seconds, ms, µs or ns, whichever puts it
 * between 1973 and 5138. A string without a zone is UTC.
 */
export function anyTime(value: unknown): number {
  if (typeof value === "number") return numberTime(value);
  if (typeof value !== "string") return Number.NaN;
  if (/^\d+(\.\d+)?$/.test(value)) return numberTime(Number(value));
  const clf = clfTime(value);
  if (!Number.isNaN(clf)) return clf;
  return Date.parse(withoutZone.test(value) ? `${value}Z` : value);
}

/** From which size on a number is in ms, µs or ns, and how many of them make a ms. */
const scales = [
  [1e17, 1e6],
  [1e14, 1e3],
  [1e11, 1],
] as const;

function numberTime(value: number): number {
  const [, perMs] = scales.find(([from]) => value >= from) ?? [];
  return Math.floor(perMs === undefined ? value * 1000 : value / perMs);
}
