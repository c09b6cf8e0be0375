import { createRequire } from "node:module";
import { RedisBackend } from "@ratelimit/backend-redis";
import { RateLimiter } from "@ratelimit/core";
import express from "express";
import { rateLimit as expressRateLimit } from "express-rate-limit";
import fastify, { type FastifyPluginCallback, type FastifyRequest } from "fastify";
import { Redis } from "ioredis";
import Koa from "koa";
import koaRateLimit from "koa-ratelimit";
import { type RedisReply, RedisStore } from "rate-limit-redis";
import { RateLimiterMemory, RateLimiterRedis } from "rate-limiter-flexible";
import { listening, portOf } from "../http/servers.ts";
import type { Address } from "../redis/subjects.ts";

/** The outcome of a call. Whether Redis decided it is not taken from the library but looked up in Redis. */
export type Outcome = "admitted" | "refused" | "error";

export type Call = (key: string) => Promise<Outcome>;

export interface OutageSubject {
  readonly name: string;
  readonly settings: string;
  /** Limits each key to `limit` calls an hour. */
  readonly make: (redis: Address, limit: number) => Promise<Call>;
}

export const outageSubjects = {
  ours: {
    name: "@ratelimit",
    settings: "none: `new RedisBackend({ url })`",
    make: async ({ host, port }, limit) => {
      const backend = new RedisBackend({ url: `redis://${host}:${port}` });
      const limiter = new RateLimiter({ name: "outage", rate: limit, period: "1h", backend });
      return async (key) => ((await limiter.check(key)).allowed ? "admitted" : "refused");
    },
  },
  rlf: {
    name: "rate-limiter-flexible",
    settings: "insuranceLimiter: RateLimiterMemory; ioredis with its defaults",
    make: async (redis, points) => {
      const rule = { points, duration: 3600 };
      const limiter = new RateLimiterRedis({ storeClient: client(redis), ...rule, insuranceLimiter: new RateLimiterMemory(rule) });
      return async (key) => {
        try {
          await limiter.consume(key);
          return "admitted";
        } catch (error) {
          return error instanceof Error ? "error" : "refused";
        }
      };
    },
  },
  erl: {
    name: "express-rate-limit + rate-limit-redis",
    settings: "passOnStoreError: true; ioredis with its defaults",
    make: async (redis, limit) => {
      const connection = client(redis);
      const store = new RedisStore({
        sendCommand: (command: string, ...args: string[]) => connection.call(command, ...args) as Promise<RedisReply>,
      });
      const app = express();
      app.use(expressRateLimit({ limit, windowMs: 3_600_000, store, passOnStoreError: true, keyGenerator: (req) => req.get("key") ?? "" }));
      app.get("/", (_req, res) => {
        res.end();
      });
      return over((await listening(app.listen(0, "127.0.0.1"))).port);
    },
  },
  fastify: {
    name: "@fastify/rate-limit",
    settings: "skipOnError: true; ioredis with its defaults",
    make: async (redis, max) => {
      const app = fastify();
      const options = {
        max,
        timeWindow: 3_600_000,
        redis: client(redis),
        skipOnError: true,
        keyGenerator: ({ headers }: FastifyRequest) => String(headers["key"]),
      };
      await app.register(fastifyRateLimit, options);
      app.get("/", async () => "");
      await app.listen({ host: "127.0.0.1", port: 0 });
      return over(portOf(app.server));
    },
  },
  koa: {
    name: "koa-ratelimit",
    settings: "none exist for outages; ioredis with its defaults",
    make: async (redis, max) => {
      const app = new Koa();
      app.silent = true;
      app.use(koaRateLimit({ driver: "redis", db: client(redis), duration: 3_600_000, max, id: (ctx) => ctx.get("key") }));
      app.use((ctx) => {
        ctx.body = "";
      });
      return over((await listening(app.listen(0, "127.0.0.1"))).port);
    },
  },
} as const satisfies Record<string, OutageSubject>;

export type OutageSubjectId = keyof typeof outageSubjects;

// Its types and ours both declare the type of a route's `config.rateLimit`, so one program cannot use both.
const fastifyRateLimit = createRequire(import.meta.url)("@fastify/rate-limit") as FastifyPluginCallback<{
  max: number;
  timeWindow: number;
  redis: Redis;
  skipOnError: boolean;
  keyGenerator: (request: FastifyRequest) => string;
}>;

/** Connects as in the first example of every manual. The error event is ignored, because the calls show the outage. */
function client(redis: Address): Redis {
  const connection = new Redis({ host: redis.host, port: redis.port });
  connection.on("error", () => {});
  return connection;
}

/** Calls a middleware as a client would, over HTTP. */
function over(port: number): Call {
  return async (key) => {
    const { status, body } = await fetch(`http://127.0.0.1:${port}/`, { headers: { key } });
    await body?.cancel();
    return status === 429 ? "refused" : status < 400 ? "admitted" : "error";
  };
}
