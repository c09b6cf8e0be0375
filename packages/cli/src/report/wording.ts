const whole = new Intl.NumberFormat("en-US");

/** `1,234,567`. */
export function count(value: number): string {
  return whole.format(value);
}

/** `1 request`, `1,234 requests`. */
export function counted(value: number, noun: string, plural: string = `${noun}s`): string {
  return `${count(value)} ${value === 1 ? noun : plural}`;
}

const thousands = ["", "k", "M", "G", "T", "P"];

/** An estimate with its unit: `1,230`, `45,600`, `1.23 GB`, `56 Mbit/s`, `0.42 cores`. Shows up to three digits that are not zero. */
export function amount(value: number, unit?: "cores" | "bytes" | "bits/s" | "connections" | "nodes"): string {
  const rounded = Number(value.toPrecision(3));
  if (unit === "cores") return `${precise(rounded)} ${rounded === 1 ? "core" : "cores"}`;
  if (unit !== "bytes" && unit !== "bits/s") return precise(rounded);
  const power = Math.min(thousands.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(rounded, 1)) / 3)));
  return `${precise(Number((rounded / 1000 ** power).toPrecision(3)))} ${thousands[power]}${unit === "bytes" ? "B" : "bit/s"}`;
}

const digits = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 3 });

function precise(value: number): string {
  return value >= 1000 ? whole.format(value) : digits.format(value);
}

/** `1.2%`, but `0.12%` and `99.96%`: a share that is not zero never reads as zero, and one that is not whole never as whole. */
export function share(part: number, of: number): string {
  if (part === 0 || of === 0) return "0%";
  if (part === of) return "100%";
  const percent = (100 * part) / of;
  if (percent < 0.01) return "<0.01%";
  if (percent > 99.99) return ">99.99%";
  const [coarse, fine] = [percent.toFixed(1), percent.toFixed(2)];
  return `${Number(fine) < 1 || Number(coarse) === 100 ? fine : coarse}%`;
}

/** `2026-11-24 12:00:00`, in UTC, from an ISO time. */
export function time(iso: string): string {
  return iso.slice(0, 19).replace("T", " ");
}

const spans = [
  [86_400, "d"],
  [3600, "h"],
  [60, "min"],
] as const;

/** `1.5 s`, `10 min`, `2 h 5 min`. */
export function span(seconds: number): string {
  if (seconds < 60) return `${Number(seconds.toFixed(3))} s`;
  const parts: string[] = [];
  let rest = Math.round(seconds);
  for (const [length, unit] of [...spans, [1, "s"] as const]) {
    if (rest >= length && parts.length < 2) parts.push(`${Math.floor(rest / length)} ${unit}`);
    rest %= length;
  }
  return parts.join(" ");
}

const periods: Readonly<Record<number, string>> = { 1: "second", 60: "minute", 3600: "hour", 86400: "day" };

/** `100 requests per minute with a burst of 150`. */
export function limitWords(limit: { readonly rate: number; readonly periodSeconds: number; readonly burst: number }): string {
  const { rate, periodSeconds, burst } = limit;
  const per = `${counted(rate, "request")} per ${periods[periodSeconds] ?? span(periodSeconds)}`;
  return burst === rate ? per : `${per} with a burst of ${count(burst)}`;
}

const bars = "▁▂▃▄▅▆▇█";

/** Draws counts as a line of bars, at most `width` wide. A count of 0 is a space, unless nothing follows it, and any other is visible. */
export function sparkline(counts: readonly number[], width: number): string {
  const perBar = Math.ceil(counts.length / width);
  const sums = Array.from({ length: Math.ceil(counts.length / perBar) }, (_, i) =>
    counts.slice(i * perBar, (i + 1) * perBar).reduce((sum, one) => sum + one, 0),
  );
  const most = Math.max(...sums);
  return sums
    .map((sum) => (sum === 0 ? " " : bars[Math.min(7, Math.floor((sum / most) * 8))]))
    .join("")
    .trimEnd();
}

/** Makes control characters visible, because a log or a Redis key may hold commands for the terminal. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) => `\\u{${(character.codePointAt(0) as number).toString(16)}}`);
}

/** Shortens a text in its middle. */
export function shortened(text: string, length: number): string {
  if (text.length <= length) return text;
  const head = Math.ceil((length - 1) / 2);
  return `${text.slice(0, head)}…${text.slice(text.length - (length - 1 - head))}`;
}
