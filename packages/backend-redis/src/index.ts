export type { Duration, LimitOptions, PolicyOptions, RateLimiterOptions, RateLimitResult } from "@ratelimit/core";
export { configFromEnv, defineConfig, definePolicy, RateLimitError, RateLimitExceeded, RateLimiter } from "@ratelimit/core";
export type { RedisClient } from "./clients/adapt.ts";
export { safeClusterOptions, safeRedisOptions } from "./clients/safe-options.ts";
export type { ClientOptions, ClusterBackendOptions, RedisBackendOptions, SentinelBackendOptions, UrlOptions } from "./options.ts";
export { RedisBackend } from "./redis-backend.ts";
