import type { RateLimitResult } from "@ratelimit/core";

/** What a server tells the page about one decision. */
export interface Decision extends Pick<RateLimitResult, "allowed" | "remaining" | "source"> {
  /** Milliseconds until the same request would be admitted; `null` if it never will be. */
  readonly retryMs: number | null;
  /** Units of the bucket that are in use. */
  readonly used: number;
  /** Milliseconds from the arrival of the request to its decision. */
  readonly tookMs: number;
  /** The time of the decision, in Unix ms. Decisions can reach the page in another order than they were made. */
  readonly at: number;
  /** The process that decided. */
  readonly pid: number;
}
