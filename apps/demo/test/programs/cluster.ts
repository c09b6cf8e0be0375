/** Two node:cluster workers serve one port, each with a limiter on Redis and one in its own memory. `X-Worker` names the worker that answered. */
import cluster from "node:cluster";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { RedisBackend } from "@ratelimit/backend-redis";
import { rateLimit } from "@ratelimit/express";
import express from "express";

if (cluster.isPrimary) {
  const workers = [cluster.fork(), cluster.fork()];
  const addresses = await Promise.all(workers.map((worker) => once(worker, "listening").then(([address]) => address as AddressInfo)));
  console.log(`http://127.0.0.1:${addresses[0]?.port}\n`);
  process.once("SIGTERM", () => {
    for (const worker of workers) worker.send("end");
  });
} else {
  const backend = new RedisBackend({ url: process.env["RATELIMIT_REDIS_URL"] ?? "", timeout: "10s", outage: "throw" });
  const rule = { rate: 50, period: "1h", key: () => "everybody" } as const;
  const app = express();
  const shared = rateLimit({ ...rule, name: "cluster", keyPrefix: process.env["RATELIMIT_KEY_PREFIX"] ?? "", backend });
  app.use((_req, res, next) => {
    res.set("X-Worker", `${cluster.worker?.id}`);
    next();
  });
  app.get("/shared", shared, (_req, res) => void res.send("ok"));
  app.get("/own", rateLimit(rule), (_req, res) => void res.send("ok"));
  const server = createServer(app).listen(0, "127.0.0.1");
  process.once("message", () => {
    server.close();
    server.closeAllConnections();
    void backend.close();
    process.disconnect();
  });
}
