import type { RedisBackend } from "@ratelimit/backend-redis";
import { definePolicy, type Policy, RateLimiter, type RateLimitResult } from "@ratelimit/core";
import type { StoredBucket } from "./stored-bucket.ts";
import type { BucketName } from "./stored-key.ts";

/** The policy for calls that do not count: a block and a reset do not touch the limits of a bucket. */
const anyPolicy = definePolicy({ rate: 1 });

/** Uses a limiter of this name for one call. */
export async function withLimiter<T>(
  { backend, prefix, name, policy = anyPolicy }: { backend: RedisBackend; prefix: string; name: string; policy?: Policy },
  use: (limiter: RateLimiter) => Promise<T>,
): Promise<T> {
  const limiter = new RateLimiter({ backend, keyPrefix: prefix, name, policy });
  try {
    return await use(limiter);
  } finally {
    await limiter.close();
  }
}

/**
 * Asks how a policy stands with a bucket. Returns `undefined` if another policy wrote the bucket: a peek would then store what this policy
 * inherits from it, and looking must not change anything.
 */
export async function peek(
  backend: RedisBackend,
  prefix: string,
  { limiter, key }: BucketName,
  bucket: StoredBucket | undefined,
  policy: Policy,
): Promise<RateLimitResult | undefined> {
  const stored = new Set(bucket?.limits.map(({ fingerprint }) => fingerprint));
  const isForeign = policy.limits.some(({ fingerprint }) => !stored.has(fingerprint)) && stored.size > 0;
  return isForeign ? undefined : withLimiter({ backend, prefix, name: limiter, policy }, (one) => one.peek(key));
}
