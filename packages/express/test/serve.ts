import { type Answer, type Limiter, listen, type Serve, userIn } from "@ratelimit/conformance";
import { limitByApiKey, limitByUser, rateLimit, rateLimitErrors } from "@ratelimit/express";
import express, { type Express, type Request, type RequestHandler, type Response } from "express";

/** Starts conformance apps in this framework. */
export const serve: Serve = serveIn(express);

/** Starts conformance apps in one version of this framework. */
export function serveIn(express: () => Express): Serve {
  return (app) => {
    const inner = express();
    inner.set("trust proxy", app.proxied ? "loopback" : false);
    inner.use((_req, res, next) => {
      res.set(app.fields);
      Promise.resolve(app.early(res)).then(() => next(), next);
    });
    inner.use(...app.limiters.map(middleware), pass);
    for (const { method, path, limiters, handler } of app.routes)
      inner[method](path, authenticate, ...limiters.map(middleware), (req, res, next) => {
        Promise.resolve(handler(req, req.rateLimit)).then((answer) => send(res, answer), next);
      });
    inner.use(rateLimitErrors);
    return listen(app.mount === "" ? inner : express().use(app.mount, inner));
  };
}

function middleware({ call, options, onLimited }: Limiter): RequestHandler {
  const make = { rateLimit, limitByUser, limitByApiKey }[call];
  if (onLimited === undefined) return make(options);
  return make({ ...options, onLimited: async (result, req, res) => sendAnswer(res, await onLimited(result, req)) });
}

function authenticate(req: Request & { user?: unknown }, _res: Response, next: () => void): void {
  req.user = userIn(req);
  next();
}

function pass(_req: Request, _res: Response, next: () => void): void {
  next();
}

/** Returns a string for the adapter to send. */
function sendAnswer(res: Response, answer: Answer | string | undefined): string | undefined {
  if (answer === undefined || typeof answer === "string") return answer;
  send(res, answer);
  return undefined;
}

function send(res: Response, { status, body }: Answer): void {
  res.status(status).send(body);
}
