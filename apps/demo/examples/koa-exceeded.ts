import Router from "@koa/router";
import { MemoryBackend } from "@ratelimit/backend-memory";
import { RateLimiter } from "@ratelimit/core";
import Koa from "koa";

const limiter = new RateLimiter({ backend: new MemoryBackend(), rate: 1, period: 60 });

const router = new Router();
router.get("/report/:user", async (ctx) => {
  await limiter.enforce(ctx.params["user"] ?? ""); // a refusal throws RateLimitExceeded, which Koa turns into a 429 with headers
  ctx.body = { status: "ok" };
});

export const app = new Koa();
app.use(router.routes());
