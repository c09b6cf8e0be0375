import { MemoryBackend } from "@ratelimit/backend-memory";
import { RateLimiter } from "@ratelimit/core";
import { rateLimit } from "@ratelimit/express";
import express from "express";

const limiter = new RateLimiter({ backend: new MemoryBackend(), rate: 100, period: 60 });

export const app = express();
app.use(rateLimit({ limiter, excludePaths: ["/health", "/metrics"] }));

app.get("/api/data", (_req, res) => {
  res.json({ data: "value" });
});
