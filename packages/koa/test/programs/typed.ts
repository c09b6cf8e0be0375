/** An application that must compile with the types of every supported Koa. */
import { limitByApiKey, limitByUser, type RateLimitState, rateLimit } from "@ratelimit/koa";
import Koa from "koa";

const limit = rateLimit({
  rate: 100,
  key: (ctx) => ctx.get("x-tenant"),
  onLimited: (result, ctx) => {
    ctx.body = { retryAfter: result.retryAfter };
  },
});
const app = new Koa<RateLimitState>();
app.use(limit);
app.use(limitByUser({ rate: 5, user: (ctx) => ctx.ip }));
app.use(limitByApiKey({ rate: 5, valid: (key, ctx) => key === ctx.query["key"] }));
app.use((ctx) => {
  ctx.body = { left: ctx.state.rateLimit?.remaining };
});
