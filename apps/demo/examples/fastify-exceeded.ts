import { MemoryBackend } from "@ratelimit/backend-memory";
import { RateLimiter } from "@ratelimit/core";
import fastify from "fastify";

const limiter = new RateLimiter({ backend: new MemoryBackend(), rate: 1, period: 60 });

export const app = fastify();
app.get<{ Params: { user: string } }>("/report/:user", async (request) => {
  await limiter.enforce(request.params.user); // a refusal throws RateLimitExceeded, which Fastify turns into a 429 with headers
  return { status: "ok" };
});
