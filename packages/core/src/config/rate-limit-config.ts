import type { HeaderMode } from "../decision/headers.ts";
import type { TimeSpan } from "../policy/duration.ts";
import type { Policy } from "../policy/policy.ts";
import type { OutageMode } from "../resilience/outage-reporter.ts";

/** A configuration, ready for `new RateLimiter({ config, backend })` and for `rateLimit({ config })`. */
export interface RateLimitConfig {
  readonly policy: Policy;
  /** Names the limiter, unless its own options do. */
  readonly name?: string;
  readonly keyPrefix: string;
  /** Selects the header fields that a middleware sends. */
  readonly headers: HeaderMode | readonly HeaderMode[];
  /** For the backend, like the next three fields: `new RedisBackend({ url: config.redisUrl, timeout: config.timeout, … })`. */
  readonly redisUrl?: string;
  readonly timeout?: TimeSpan;
  readonly outage?: OutageMode;
  readonly instances?: number;
}
