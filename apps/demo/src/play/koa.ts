import type { RequestListener } from "node:http";
import Router from "@koa/router";
import { type RateLimitState, rateLimit } from "@ratelimit/koa";
import Koa, { type Context } from "koa";
import type { Site } from "../limits.ts";
import { decisionField, playOptions, readableByPages, timed } from "./play.ts";

/** `/play` in Koa. */
export async function koaPlay({ backend, config }: Site): Promise<RequestListener> {
  const app = new Koa();
  app.use((ctx, next) => {
    ctx.set(readableByPages);
    return next();
  });
  const limit = rateLimit({
    ...playOptions<Context>(backend, config.keyPrefix, ({ req }) => req),
    onLimited: (result, ctx) => {
      ctx.set(...decisionField(ctx.req, result));
    },
  });
  const router = new Router<RateLimitState>();
  router.get("/play", limit, (ctx) => {
    if (ctx.state.rateLimit !== undefined) ctx.set(...decisionField(ctx.req, ctx.state.rateLimit));
    ctx.body = { status: "ok" };
  });
  app.use(router.routes());
  const answer = app.callback();
  return timed((req, res) => void answer(req, res));
}
