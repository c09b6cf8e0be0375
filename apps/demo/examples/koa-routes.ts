import Router from "@koa/router";
import { limitByApiKey, limitByUser, rateLimit } from "@ratelimit/koa";
import Koa, { type Middleware } from "koa";

// Your own authentication. This toy trusts a header.
const authenticate: Middleware = (ctx, next) => {
  ctx.state["user"] = { id: ctx.get("X-User") };
  return next();
};
const ok: Middleware = (ctx) => {
  ctx.body = { status: "ok" };
};

const router = new Router();

// By address
router.get("/api/public", rateLimit({ rate: 10, period: 60 }), ok);

// By user: `ctx.state.user.id`
router.get("/api/user", authenticate, limitByUser({ rate: 100, period: 60 }), ok);

// By API key: `X-API-Key`
router.get("/api/partner", limitByApiKey({ rate: 1000, period: 3600, valid: (key) => key.startsWith("partner-") }), ok);

export const app = new Koa();
app.use(router.routes());
