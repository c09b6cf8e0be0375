import { type Answer, type Limiter, listen, type Serve, userIn } from "@ratelimit/conformance";
import { thenMaybe } from "@ratelimit/core/adapter";
import { limitByApiKey, limitByUser, rateLimit } from "@ratelimit/express";
import express, { type Request, type RequestHandler, type Response } from "express";

/** Starts a conformance app in this framework. */
export const serve: Serve = (app) => {
  const inner = express();
  inner.set("trust proxy", app.proxied ? "loopback" : false);
  inner.use((_req, res, next) => {
    res.set(app.fields);
    app.early(res);
    next();
  });
  inner.use(...app.limiters.map(middleware), pass);
  for (const { method, path, limiters, handler } of app.routes)
    inner[method](path, authenticate, ...limiters.map(middleware), (req, res) =>
      thenMaybe(handler(req, req.rateLimit), (answer) => send(res, answer)),
    );
  return listen(app.mount === "" ? inner : express().use(app.mount, inner));
};

function middleware({ call, options, onLimited }: Limiter): RequestHandler {
  const make = { rateLimit, limitByUser, limitByApiKey }[call];
  if (onLimited === undefined) return make(options);
  return make({ ...options, onLimited: (result, req, res) => thenMaybe(onLimited(result, req), (answer) => send(res, answer)) });
}

function authenticate(req: Request & { user?: unknown }, _res: Response, next: () => void): void {
  req.user = userIn(req);
  next();
}

function pass(_req: Request, _res: Response, next: () => void): void {
  next();
}

function send(res: Response, { status, body }: Answer): void {
  res.status(status).send(body);
}
