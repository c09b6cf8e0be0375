import { MemoryBackend } from "@ratelimit/backend-memory";
import { RateLimiter, resilient } from "@ratelimit/core";

/** Causes everything that is reported at least once: every outcome, a decision without the backend, a failure, an eviction and a block. */
export async function causeEverything(): Promise<void> {
  const limiter = new RateLimiter({ name: "login", rate: 2, period: "1h", backend: new MemoryBackend({ maxKeys: 2 }) });
  for (const key of ["a", "a", "a", "b", "c"]) await limiter.check(key);
  await limiter.block("c", "1m");
  await limiter.check("c");
  await using broken = resilient({
    take: () => Promise.reject(new Error("connection refused")),
    adjust: () => Promise.reject(new Error("connection refused")),
    block: () => {},
    reset: () => {},
    close: () => {},
  });
  await new RateLimiter({ name: "shared", rate: 2, backend: broken }).check("a");
}
