export {
  type Awaitable,
  type Backend,
  type BackendReply,
  type DecisionSource,
  isPromise,
  type KeyScope,
  type SyncBackend,
} from "./backend/backend.ts";
export {
  adjustBucket,
  type Bucket,
  type BucketChange,
  blockBucket,
  bucketFullAt,
  type Entry as BucketEntry,
  takeFromBucket,
} from "./backend/bucket.ts";
export { backendKey, escapeKey, escapeName } from "./backend/key.ts";
export type { HandedBack, LeaseGrant, LeaseRequest } from "./backend/lease.ts";
export { BucketTable } from "./backend/memory/bucket-table.ts";
export type { Clock } from "./clock.ts";
export { redisUrlRule } from "./config/redis-url.ts";
export { RateLimitError, type RateLimitErrorCode } from "./errors.ts";
export { leased } from "./lease/leased.ts";
export { peerOptionHint } from "./peer-options.ts";
export { definePolicy, type Limit, type Policy } from "./policy/policy.ts";
export { msUntilFull, remainingOf, retryMsOf, slackUnits, usedOf } from "./policy/token-bucket.ts";
export type { OutageClass, OutageEvent } from "./resilience/outage-reporter.ts";
export { resilient } from "./resilience/resilient.ts";
export type { ResilientBackend } from "./resilience/resilient-backend.ts";
export { type BackendParts, type ResilientOptions, resilientRules } from "./resilience/resilient-options.ts";
export { checkOptions, Problems, type Rule, type Rules, rule } from "./validation.ts";
export { warnOnce } from "./warnings.ts";
