import type { RequestListener } from "node:http";
import { rateLimit } from "@ratelimit/express";
import express, { type Request } from "express";
import type { Site } from "../limits.ts";
import { decisionField, playOptions, readableByPages, timed } from "./play.ts";

/** `/play` in Express. */
export async function expressPlay({ backend, config }: Site): Promise<RequestListener> {
  const app = express();
  app.use((_req, res, next) => {
    res.set(readableByPages);
    next();
  });
  const limit = rateLimit({
    ...playOptions<Request>(backend, config.keyPrefix, (req) => req),
    onLimited: (result, req, res) => {
      res.set(...decisionField(req, result));
    },
  });
  app.get("/play", limit, (req, res) => {
    if (req.rateLimit !== undefined) res.set(...decisionField(req, req.rateLimit));
    res.json({ status: "ok" });
  });
  return timed(app);
}
