import type { RateLimitResult } from "@ratelimit/core";
import type { FoundBucket } from "../redis/scan.ts";
import { table } from "./table.ts";
import { count, printable, shortened, span } from "./wording.ts";

/** A bucket as `inspect` and `top` show it. Times are in seconds. */
export interface BucketView {
  readonly limiter: string;
  readonly key: string;
  readonly fullInSeconds: number;
  /** 0 if the key is not blocked. */
  readonly blockedSeconds: number;
  /** Tokens left of the limit that was given; `null` if none was given, or if another limit wrote the bucket. */
  readonly remaining: number | null;
  /** When a call of cost 1 would be admitted; `null` in the same cases. */
  readonly retryAfterSeconds: number | null;
  /** Whether a limit was given, but another one wrote the bucket. */
  readonly isOfAnotherLimit: boolean;
}

export function viewOf({ limiter, key, bucket }: FoundBucket, result: RateLimitResult | undefined, isLimitGiven: boolean): BucketView {
  return {
    limiter,
    key,
    fullInSeconds: bucket.fullInMs / 1000,
    blockedSeconds: bucket.blockedMs / 1000,
    remaining: result?.remaining ?? null,
    retryAfterSeconds: result?.retryAfter ?? null,
    isOfAnotherLimit: isLimitGiven && result === undefined,
  };
}

/** The buckets for a terminal. */
export function terminalBuckets(views: readonly BucketView[]): string {
  const hasLimit = views.some(({ remaining, isOfAnotherLimit }) => remaining !== null || isOfAnotherLimit);
  const head = ["key", "limiter", ...(hasLimit ? ["left", "retry after"] : []), "full in", "blocked for"];
  const rows = views.map(({ key, limiter, remaining, retryAfterSeconds, fullInSeconds, blockedSeconds, isOfAnotherLimit }) => [
    shortened(printable(key), 60),
    printable(limiter),
    ...(hasLimit
      ? [isOfAnotherLimit ? "another limit" : count(remaining ?? 0), retryAfterSeconds === null ? "-" : span(retryAfterSeconds)]
      : []),
    span(fullInSeconds),
    blockedSeconds > 0 ? span(blockedSeconds) : "-",
  ]);
  return `${table(head, rows)}\n`;
}
