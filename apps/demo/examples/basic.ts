import { MemoryBackend } from "@ratelimit/backend-memory";
import { RateLimiter } from "@ratelimit/core";

// 100 requests per minute
const limiter = new RateLimiter({ backend: new MemoryBackend(), rate: 100, period: 60 });

const result = await limiter.check("user:123");
if (result.allowed) {
  console.log(`Process the request; ${result.remaining} are left`);
} else {
  console.log(`Retry after ${result.retryAfter} seconds`);
}
