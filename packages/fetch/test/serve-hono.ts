import { getRequestListener, type HttpBindings } from "@hono/node-server";
import { type App, type Limiter, listen, type Serve } from "@ratelimit/conformance";
import { type FetchLimit, RateLimitExceeded, rateLimitOf } from "@ratelimit/fetch";
import { Hono, type MiddlewareHandler } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { limitOf, view } from "./serve.ts";

interface Environment {
  readonly Bindings: HttpBindings;
}

/** Starts conformance apps in Hono, on its server for Node, with the middleware that docs/fetch.md shows. */
export const serveHono: Serve = (app) => {
  const inner = new Hono<Environment>();
  inner.use(async (c, next) => {
    for (const [name, value] of Object.entries(app.fields)) c.header(name, value);
    await app.early(c.env.outgoing);
    await next();
  });
  for (const limiter of app.limiters) inner.use(middleware(limiter, app));
  for (const { method, path, limiters, handler } of app.routes) {
    const answering: MiddlewareHandler<Environment> = async (c) => {
      const { status, body } = await handler(view(c.req.raw), rateLimitOf(c.req.raw));
      return typeof body === "string" ? c.text(body, status as ContentfulStatusCode) : c.json(body, status as ContentfulStatusCode);
    };
    inner.on(method.toUpperCase(), [path], ...limiters.map((limiter) => middleware(limiter, app)), answering);
  }
  inner.onError((error, c) => {
    const { status = 500 } = error as { status?: number };
    return c.text("An error", (status >= 400 ? status : 500) as ContentfulStatusCode);
  });
  const outer = app.mount === "" ? inner : new Hono<Environment>().route(app.mount, inner);
  return listen(getRequestListener(outer.fetch));
};

function middleware(limiter: Limiter, app: App): MiddlewareHandler<Environment> {
  return limited(limitOf(limiter, app));
}

/** The middleware that docs/fetch.md shows. */
export function limited(limit: FetchLimit): MiddlewareHandler {
  return async (c, next) => {
    const handler = limit(async () => {
      await next();
      if (c.error instanceof RateLimitExceeded) throw c.error;
      const { res } = c;
      c.res = undefined;
      return res;
    });
    c.res = await handler(c.req.raw, c.env);
  };
}
