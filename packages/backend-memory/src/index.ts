export type { Duration, LimitOptions, PolicyOptions, RateLimiterOptions, RateLimitResult } from "@ratelimit/core";
export { definePolicy, ManualClock, RateLimitError, RateLimitExceeded, RateLimiter } from "@ratelimit/core";
export { MemoryBackend, type MemoryBackendOptions, sharedMemoryBackend } from "./memory-backend.ts";
