import { MemoryBackend } from "@ratelimit/backend-memory";
import { ManualClock, RateLimiter } from "@ratelimit/core";

// 100 requests per minute, 150 at once. The clock stands still until `advance` moves it.
const clock = new ManualClock();
const limiter = new RateLimiter({ backend: new MemoryBackend({ clock }), rate: 100, period: 60, burst: 150 });

function admitted(key: string, requests: number, everyMs: number): number {
  let count = 0;
  for (let i = 0; i < requests; i++) {
    if (limiter.checkSync(key).allowed) count++;
    clock.advance(everyMs);
  }
  return count;
}

console.log(`At once: ${admitted("ada", 200, 0)} of 200`);

// 10 a second for ten minutes, from an empty bucket
console.log(`Sustained: ${(admitted("ada", 6000, 100) / 600).toFixed(2)} per second`);

// 5 a second: 150 tokens would last 30 seconds, but the bucket fills while requests are processed.
console.log(`Processing for 30 seconds: ${admitted("bob", 150, 200)} of 150, and ${(await limiter.peek("bob")).remaining} are left`);
