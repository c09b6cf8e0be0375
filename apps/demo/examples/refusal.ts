import { MemoryBackend } from "@ratelimit/backend-memory";
import { RateLimitExceeded, RateLimiter } from "@ratelimit/core";

const limiter = new RateLimiter({ backend: new MemoryBackend(), rate: 1, period: 60 });

/** A handler without a framework. It answers a user with the standard `Response`. */
export async function handle(user: string): Promise<Response> {
  try {
    const result = await limiter.check(user);
    if (!result.allowed) throw new RateLimitExceeded({ limit: result.limit, retryAfter: result.retryAfter });
    return Response.json({ status: "ok" });
  } catch (error) {
    if (!(error instanceof RateLimitExceeded)) throw error;
    return new Response("Too many requests", { status: error.status, headers: error.headers });
  }
}
