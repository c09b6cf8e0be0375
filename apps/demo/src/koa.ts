import type { RequestListener } from "node:http";
import Router from "@koa/router";
import { limitByApiKey, limitByUser, rateLimit } from "@ratelimit/koa";
import Koa, { type Middleware } from "koa";
import { limitsOn, type Site } from "./limits.ts";

/** The application in Koa. Routes added before the middleware have their own limit. */
export async function koaApp(site: Site): Promise<RequestListener> {
  const limits = limitsOn(site);
  const app = new Koa();

  const limited = new Router();
  limited.get("/api/public", rateLimit(limits.public), ok);
  limited.get("/api/user", toyAuthentication, limitByUser(limits.user), ok);
  limited.get("/api/partner", limitByApiKey(limits.partner), ok);
  limited.get("/api/report", rateLimit(limits.report), ok);
  app.use(limited.routes());

  const others = new Router();
  others.get("/api/data", ok);
  others.get("/health", ok);
  app.use(rateLimit(limits.everythingElse));
  app.use(others.routes());
  const answer = app.callback();
  return (req, res) => void answer(req, res);
}

const ok: Middleware = (ctx) => {
  ctx.body = { status: "ok" };
};

/** A TOY that trusts `X-User`. Real authentication checks a session or a token. */
const toyAuthentication: Middleware = (ctx, next) => {
  const id = ctx.get("X-User");
  if (id) ctx.state["user"] = { id };
  return next();
};
