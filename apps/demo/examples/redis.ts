import { RedisBackend } from "@ratelimit/backend-redis";
import { RateLimiter } from "@ratelimit/core";

const backend = new RedisBackend({ url: process.env["RATELIMIT_REDIS_URL"] ?? "redis://localhost:6379" });
const limiter = new RateLimiter({ name: "api", backend, rate: 100, period: 60 });

// One budget for all processes that use this Redis
const result = await limiter.check("user:123");
console.log(result.allowed, result.remaining);

await backend.close();
