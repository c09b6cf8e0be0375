import Router, { type RouterContext } from "@koa/router";
import { type Answer, type Limiter, listen, type Serve, userIn } from "@ratelimit/conformance";
import { limitByApiKey, limitByUser, type RateLimitState, rateLimit } from "@ratelimit/koa";
import Latest, { type Context, type Middleware } from "koa";
import mount from "koa-mount";

/** Starts conformance apps in this framework. */
export const serve: Serve = serveIn(Latest);

/** Starts conformance apps in one version of this framework. */
export function serveIn(Koa: typeof Latest): Serve {
  return (app) => {
    const inner = new Koa({ proxy: app.proxied, maxIpsCount: 1 });
    inner.silent = true;
    inner.use(async (ctx, next) => {
      ctx.set(app.fields);
      await app.early(ctx.res);
      await next();
    });
    for (const limiter of app.limiters) inner.use(middleware(limiter));
    const router = new Router();
    for (const { method, path, limiters, handler } of app.routes)
      router[method](path, authenticate, ...limiters.map(middleware), async (ctx: RouterContext<RateLimitState>) =>
        send(ctx, await handler(ctx, ctx.state.rateLimit)),
      );
    inner.use(router.routes());
    return listen((app.mount === "" ? inner : new Koa().use(mount(app.mount, inner))).callback());
  };
}

function middleware({ call, options, onLimited }: Limiter): Middleware {
  const make = { rateLimit, limitByUser, limitByApiKey }[call];
  if (onLimited === undefined) return make(options);
  return make({ ...options, onLimited: async (result, ctx) => sendAnswer(ctx, await onLimited(result, ctx)) });
}

const authenticate: Middleware = (ctx, next) => {
  ctx.state["user"] = userIn(ctx);
  return next();
};

/** Returns a string for the adapter to send. */
function sendAnswer(ctx: Pick<Context, "status" | "body">, answer: Answer | string | undefined): string | undefined {
  if (answer === undefined || typeof answer === "string") return answer;
  send(ctx, answer);
  return undefined;
}

function send(ctx: Pick<Context, "status" | "body">, { status, body }: Answer): void {
  ctx.status = status;
  ctx.body = body;
}
