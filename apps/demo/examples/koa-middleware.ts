import { MemoryBackend } from "@ratelimit/backend-memory";
import { RateLimiter } from "@ratelimit/core";
import { rateLimit } from "@ratelimit/koa";
import Koa from "koa";

const limiter = new RateLimiter({ backend: new MemoryBackend(), rate: 100, period: 60 });

export const app = new Koa();
app.use(rateLimit({ limiter, excludePaths: ["/health", "/metrics"] }));

app.use((ctx) => {
  ctx.body = { data: "value" };
});
