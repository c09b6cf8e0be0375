import type { RequestListener } from "node:http";
import { limitByApiKey, limitByUser, rateLimit } from "@ratelimit/express";
import express, { type Request, type RequestHandler } from "express";
import { limitsOn, type Site } from "./limits.ts";

/** The application in Express. Routes declared before the middleware have their own limit. */
export async function expressApp(site: Site): Promise<RequestListener> {
  const limits = limitsOn(site);
  const app = express();

  app.get("/api/public", rateLimit(limits.public), ok);
  app.get("/api/user", toyAuthentication, limitByUser(limits.user), ok);
  app.get("/api/partner", limitByApiKey(limits.partner), ok);
  app.get("/api/report", rateLimit(limits.report), ok);

  app.use(rateLimit(limits.everythingElse));
  app.get("/api/data", ok);
  app.get("/health", ok);
  return app;
}

const ok: RequestHandler = (_req, res) => {
  res.json({ status: "ok" });
};

/** A TOY that trusts `X-User`. Real authentication checks a session or a token. */
const toyAuthentication: RequestHandler = (req: Request & { user?: { id: string } }, _res, next) => {
  const id = req.get("X-User");
  if (id) req.user = { id };
  next();
};
