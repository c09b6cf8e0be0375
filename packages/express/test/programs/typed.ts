/** An application that must compile with the types of every supported Express. */
import { limitByApiKey, limitByUser, rateLimit, rateLimitErrors } from "@ratelimit/express";
import express, { Router } from "express";

const limit = rateLimit({
  rate: 100,
  key: (req) => req.get("x-tenant"),
  onLimited: (result, _req, res) => void res.status(429).json({ retryAfter: result.retryAfter }),
});
const app = express();
app.use(limit);
app.use("/api", limit, limitByUser({ rate: 5, user: (req) => req.ip }));
app.get("/items/:id", limit, limitByApiKey({ rate: 5, valid: (key, req) => key === req.params["key"] }), (req, res) => {
  const id: string = req.params.id;
  res.json({ id, left: req.rateLimit?.remaining });
});
app.use(Router().post("/", limit));
app.use(rateLimitErrors);
