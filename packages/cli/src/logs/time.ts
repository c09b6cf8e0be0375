/** `10/Oct/2000:13:55:36 -0700`, of Apache and nginx. */
const clf =
  /^(?<day>\d\d)\/(?<month>[A-Z][a-z]{2})\/(?<year>\d{4}):(?<hour>\d\d):(?<minute>\d\d):(?<second>\d\d)(?:\.(?<fraction>\d+))? (?<zone>[+-]\d{4})$/;

/** `2000-10-10T13:55:36.123-07:00`, also with slashes as Go writes it, with a comma as Python does, or with spaces. */
const iso =
  /^(?<year>\d{4})([-/])(?<month>\d\d)\2(?<day>\d\d)(?:[T ](?<hour>\d\d):(?<minute>\d\d)(?::(?<second>\d\d)(?:[.,](?<fraction>\d+))?)?)? ?(?<zone>Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)?$/i;

/** `Tue, 10 Oct 2000 13:55:36 GMT`, of HTTP and e-mail. */
const rfc2822 =
  /^(?:[A-Z][a-z]{2}, )?(?<day>\d\d?) (?<month>[A-Z][a-z]{2}) (?<year>\d{4}) (?<hour>\d\d):(?<minute>\d\d)(?::(?<second>\d\d))?(?: (?<zone>UTC?|GMT|[+-]\d{4}))?$/;

/** ISO 8601 as most loggers write it. `Date.parse` reads it as it is: 0.4 instead of 1.1 µs a line. */
const exactIso = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;

/** Reads `10/Oct/2000:13:55:36 -0700`, the time of Apache and nginx, as Unix time in ms; NaN if it is not such a time. */
export function clfTime(text: string): number {
  return writtenTime(clf.exec(text));
}

/**
 * Reads any time that a JSON log may hold as Unix time in ms; NaN if it is none, or not between 1973 and 2106. A number is in seconds, ms,
 * µs or ns, whichever puts it there. A string without a zone is UTC.
 */
export function anyTime(value: unknown): number {
  if (typeof value === "number") return numberTime(value);
  if (typeof value !== "string") return Number.NaN;
  if (/^\d+(\.\d+)?$/.test(value)) return numberTime(Number(value));
  if (exactIso.test(value)) return inRange(Date.parse(value));
  return writtenTime(iso.exec(value) ?? clf.exec(value) ?? rfc2822.exec(value));
}

/** Puts the time into the form that `Date.parse` reads alike everywhere: in others it assumes the local zone, and takes "user-5" for a date. */
function writtenTime(found: RegExpExecArray | null): number {
  if (found === null) return Number.NaN;
  const { year, month = "", day = "", hour = "00", minute = "00", second = "00", fraction = "", zone = "Z" } = found.groups ?? {};
  const date = `${year}-${monthNumber(month)}-${day.padStart(2, "0")}`;
  return inRange(Date.parse(`${date}T${hour}:${minute}:${second}.${fraction.slice(0, 3).padEnd(3, "0")}${offset(zone)}`));
}

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

function monthNumber(month: string): string {
  return /^\d/.test(month) ? month : String(months.indexOf(month) + 1).padStart(2, "0");
}

/** `-07:00` from `-07`, `-0700` or `-07:00`. A name is one of UTC. */
function offset(zone: string): string {
  return /^[+-]/.test(zone) ? `${zone.slice(0, 3)}:${zone.slice(3).replace(":", "") || "00"}` : "Z";
}

/** From which size on a number is in ms, µs or ns, and how many of them make a ms. */
const scales = [
  [1e17, 1e6],
  [1e14, 1e3],
  [1e11, 1],
] as const;

function numberTime(value: number): number {
  const [, perMs] = scales.find(([from]) => value >= from) ?? [];
  return inRange(Math.floor(perMs === undefined ? value * 1000 : value / perMs));
}

/** Reports keep times as whole seconds in 32 bits, which end in 2106. */
function inRange(ms: number): number {
  return ms >= 1e11 && ms < 1000 * 2 ** 32 ? ms : Number.NaN;
}
