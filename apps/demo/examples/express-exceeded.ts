import { MemoryBackend } from "@ratelimit/backend-memory";
import { RateLimiter } from "@ratelimit/core";
import express from "express";

const limiter = new RateLimiter({ backend: new MemoryBackend(), rate: 1, period: 60 });

export const app = express();
app.get("/report/:user", async (req, res) => {
  await limiter.enforce(req.params.user); // a refusal throws RateLimitExceeded, which Express turns into a 429 with headers
  res.json({ status: "ok" });
});
