import type { Bucket } from "./script.ts";

/** What a client has had of its buckets so far. Times are ms, by the clock of the check. */
export interface Drawn {
  readonly admitted: number;
  /** When its first request was sent. */
  readonly since: number;
  /** When its last one was answered. */
  readonly until: number;
}

/** The figures that are right, both ends included: time passes while requests are under way, and buckets fill. */
export interface Range {
  readonly least: number;
  readonly most: number;
}

/** The clocks of the check and of a backend count whole ms, each from a moment of its own. */
const clockMs = 5;

/** How many of `sends` requests are admitted that were sent and answered between `from` and `to`. */
export function admittedOf(sends: number, buckets: readonly Bucket[], drawn: Drawn | undefined, from: number, to: number): Range {
  const { admitted, since } = drawn ?? { admitted: 0, since: from };
  const most = buckets.map((bucket) => bucket.tokens + Math.min(refill(bucket, to - from), refill(bucket, to - since) - admitted));
  return {
    least: Math.min(sends, ...buckets.map((bucket) => inStock(bucket, drawn, from).least)),
    most: Math.min(sends, ...most),
  };
}

/** What `X-RateLimit-Remaining` says after the first of them, answered at `at`. */
export function remainingOf(buckets: readonly Bucket[], drawn: Drawn | undefined, from: number, at: number): Range {
  const left = (stock: (bucket: Bucket) => number): number =>
    Math.max(0, Math.min(...buckets.map((bucket) => Math.min(bucket.limit, stock(bucket) - 1))));
  return {
    least: left((bucket) => inStock(bucket, drawn, from).least),
    most: left((bucket) => inStock(bucket, drawn, at).most),
  };
}

/** What `Retry-After` and `X-RateLimit-Limit` say of a refusal at `at`, when `drawn` is all that was admitted. */
export function refusalOf(buckets: readonly Bucket[], drawn: Drawn, at: number): { retryAfter: Range; limits: readonly number[] } {
  const empty = buckets.filter(({ tokens }) => drawn.admitted >= tokens);
  const waits = empty.map(({ tokens, everyMs }) => ({
    least: (drawn.admitted + 1 - tokens) * everyMs - (at - drawn.since) - clockMs,
    most: everyMs,
  }));
  return {
    retryAfter: { least: seconds(waits.map(({ least }) => least)), most: seconds(waits.map(({ most }) => most)) },
    limits: empty.map(({ limit }) => limit),
  };
}

/** Whole tokens that a bucket may hold at a moment. */
function inStock(bucket: Bucket, drawn: Drawn | undefined, at: number): Range {
  const { tokens, everyMs } = bucket;
  if (drawn === undefined) return { least: tokens, most: tokens };
  const sureRefill = Math.max(0, Math.floor((at - drawn.until - clockMs) / everyMs));
  return {
    least: Math.min(tokens, Math.max(tokens - drawn.admitted, sureRefill)),
    most: Math.min(tokens, tokens - drawn.admitted + refill(bucket, at - drawn.since)),
  };
}

/** Whole tokens that may have come in a length of time. */
function refill({ everyMs }: Bucket, ms: number): number {
  return Math.floor((ms + clockMs) / everyMs);
}

function seconds(ms: readonly number[]): number {
  return Math.max(1, ...ms.map((one) => Math.ceil(one / 1000)));
}
