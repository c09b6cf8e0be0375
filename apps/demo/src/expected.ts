import type { Bucket } from "./script.ts";

/** What a client has taken from its buckets so far. Times are ms on the clock of the check. */
export interface Usage {
  readonly admitted: number;
  /** The time at which its first request was sent. */
  readonly since: number;
  /** The time at which its last request was answered. */
  readonly until: number;
}

/** The figures that are correct, both ends included. It is a range because buckets refill while requests are in flight. */
export interface Range {
  readonly least: number;
  readonly most: number;
}

/** Tolerance in ms: the clocks of the check and of a backend count whole ms, and do not tick at the same moment. */
const clockMs = 5;

/** Returns how many of `sends` requests must be admitted if they were sent and answered between `from` and `to`. */
export function admittedOf(sends: number, buckets: readonly Bucket[], usage: Usage | undefined, from: number, to: number): Range {
  const { admitted, since } = usage ?? { admitted: 0, since: from };
  const most = buckets.map((bucket) => bucket.tokens + Math.min(refill(bucket, to - from), refill(bucket, to - since) - admitted));
  return {
    least: Math.min(sends, ...buckets.map((bucket) => inStock(bucket, usage, from).least)),
    most: Math.min(sends, ...most),
  };
}

/** Returns the correct `X-RateLimit-Remaining` of the first answer, which arrived at `at`. */
export function remainingOf(buckets: readonly Bucket[], usage: Usage | undefined, from: number, at: number): Range {
  const left = (stock: (bucket: Bucket) => number): number =>
    Math.max(0, Math.min(...buckets.map((bucket) => Math.min(bucket.limit, stock(bucket) - 1))));
  return {
    least: left((bucket) => inStock(bucket, usage, from).least),
    most: left((bucket) => inStock(bucket, usage, at).most),
  };
}

/** Returns the correct `Retry-After` and `X-RateLimit-Limit` of a refusal at `at`, if `usage` is all that was admitted. */
export function refusalOf(buckets: readonly Bucket[], usage: Usage, at: number): { retryAfter: Range; limits: readonly number[] } {
  const empty = buckets.filter(({ tokens }) => usage.admitted >= tokens);
  const waits = empty.map(({ tokens, everyMs }) => ({
    least: (usage.admitted + 1 - tokens) * everyMs - (at - usage.since) - clockMs,
    most: everyMs,
  }));
  return {
    retryAfter: { least: seconds(waits.map(({ least }) => least)), most: seconds(waits.map(({ most }) => most)) },
    limits: empty.map(({ limit }) => limit),
  };
}

/** Returns how many whole tokens a bucket may have at a moment. */
function inStock(bucket: Bucket, usage: Usage | undefined, at: number): Range {
  const { tokens, everyMs } = bucket;
  if (usage === undefined) return { least: tokens, most: tokens };
  const sureRefill = Math.max(0, Math.floor((at - usage.until - clockMs) / everyMs));
  return {
    least: Math.min(tokens, Math.max(tokens - usage.admitted, sureRefill)),
    most: Math.min(tokens, tokens - usage.admitted + refill(bucket, at - usage.since)),
  };
}

/** Returns how many whole tokens may have been added in `ms` milliseconds. */
function refill({ everyMs }: Bucket, ms: number): number {
  return Math.floor((ms + clockMs) / everyMs);
}

function seconds(ms: readonly number[]): number {
  return Math.max(1, ...ms.map((wait) => Math.ceil(wait / 1000)));
}
