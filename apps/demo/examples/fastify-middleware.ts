import { MemoryBackend } from "@ratelimit/backend-memory";
import { RateLimiter } from "@ratelimit/core";
import { rateLimit } from "@ratelimit/fastify";
import fastify from "fastify";

const limiter = new RateLimiter({ backend: new MemoryBackend(), rate: 100, period: 60 });

export const app = fastify();
await app.register(rateLimit, { limiter, excludePaths: ["/health", "/metrics"] });

app.get("/api/data", async () => ({ data: "value" }));
