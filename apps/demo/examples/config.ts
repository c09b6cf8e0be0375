import { MemoryBackend } from "@ratelimit/backend-memory";
import { RedisBackend } from "@ratelimit/backend-redis";
import { defineConfig } from "@ratelimit/core";
import { rateLimit } from "@ratelimit/express";
import express from "express";

const config = defineConfig({
  rate: 100, // requests per period
  period: 60, // seconds, or "1m"
  burst: 150, // tokens in a full bucket
  redisUrl: process.env["RATELIMIT_REDIS_URL"], // "redis://localhost:6379"
  keyPrefix: "myapp:",
  includeHeaders: true,
});
export const backend = config.redisUrl === undefined ? new MemoryBackend() : new RedisBackend({ url: config.redisUrl });

export const app = express();
app.use(rateLimit({ config, backend, name: "api" }));
app.get("/api/data", (_req, res) => {
  res.json({ data: "value" });
});
