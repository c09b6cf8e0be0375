import { MemoryBackend } from "@ratelimit/backend-memory";
import { RedisBackend } from "@ratelimit/backend-redis";
import { configFromEnv, RateLimiter } from "@ratelimit/core";

// RATELIMIT_RATE=100 RATELIMIT_PERIOD=60 RATELIMIT_REDIS_URL=redis://localhost:6379
const config = configFromEnv();
const { redisUrl: url, timeout, outage, instances } = config;
const backend = url === undefined ? new MemoryBackend() : new RedisBackend({ url, timeout, outage, instances });
const limiter = new RateLimiter({ name: "api", config, backend });

const { limit, burst, remaining } = await limiter.check("user:123");
console.log(`${remaining} of ${burst} left, at ${limit} per ${config.policy.limits[0].period} s`);

await backend.close();
