import { limitByApiKey, limitByUser, rateLimit } from "@ratelimit/express";
import express, { type RequestHandler } from "express";

// Your own authentication. This toy trusts a header.
const authenticate: RequestHandler = (req, _res, next) => {
  Object.assign(req, { user: { id: req.get("X-User") } });
  next();
};
const ok: RequestHandler = (_req, res) => {
  res.json({ status: "ok" });
};

export const app = express();

// By address
app.get("/api/public", rateLimit({ rate: 10, period: 60 }), ok);

// By user: `req.user.id`
app.get("/api/user", authenticate, limitByUser({ rate: 100, period: 60 }), ok);

// By API key: `X-API-Key`
app.get("/api/partner", limitByApiKey({ rate: 1000, period: 3600, valid: (key) => key.startsWith("partner-") }), ok);
