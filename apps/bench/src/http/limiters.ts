import { createRequire } from "node:module";
import { RedisBackend } from "@ratelimit/backend-redis";
import { rateLimit as forExpress } from "@ratelimit/express";
import { rateLimit as forFastify } from "@ratelimit/fastify";
import { rateLimit as forKoa } from "@ratelimit/koa";
import type { RequestHandler } from "express";
import { rateLimit as expressRateLimit } from "express-rate-limit";
import type { FastifyInstance, FastifyPluginCallback } from "fastify";
import { Redis } from "ioredis";
import type { Middleware } from "koa";
import koaRateLimit from "koa-ratelimit";
import type { Rule } from "../memory/subjects.ts";
import { minimalLimiter, refusal } from "./minimal.ts";

// Its types and ours both declare the type of a route's `config.rateLimit`, so one program cannot use both.
const fastifyRateLimit = createRequire(import.meta.url)("@fastify/rate-limit") as FastifyPluginCallback<{
  max: number;
  timeWindow: number;
  redis?: Redis;
  nameSpace?: string;
  skipOnError?: boolean;
}>;

/** The limiter in front of the page: none, a minimal one, ours, or a widely used one. */
export type LimiterId = "none" | "minimal" | "ours" | "peer";

export interface HttpRule extends Rule {
  /** The Redis that our limiter and Fastify's peer use. If absent, they use the memory of the process. */
  readonly redis?: { readonly host: string; readonly port: number };
}

type Limiters<Use> = Readonly<Record<LimiterId, Use>>;

export const expressLimiters: Limiters<(rule: HttpRule) => RequestHandler[]> = {
  none: () => [],
  minimal: (rule) => {
    const take = minimalLimiter(rule);
    return [
      (req, res, next) => {
        const { allowed, headers } = take(req.ip ?? "");
        res.set(headers);
        if (allowed) next();
        else res.status(429).end(refusal);
      },
    ];
  },
  ours: (rule) => [forExpress(oursOf(rule))],
  peer: ({ burst, windowMs }) => [expressRateLimit({ limit: burst, windowMs })],
};

export const fastifyLimiters: Limiters<(app: FastifyInstance, rule: HttpRule) => Promise<void>> = {
  none: async () => {},
  minimal: async (app, rule) => {
    const take = minimalLimiter(rule);
    app.addHook("onRequest", (request, reply, done) => {
      const { allowed, headers } = take(request.ip);
      reply.headers(headers);
      if (allowed) done();
      else reply.code(429).send(refusal);
    });
  },
  ours: async (app, rule) => {
    await app.register(forFastify, oursOf(rule));
  },
  peer: async (app, { burst, windowMs, redis }) => {
    await app.register(fastifyRateLimit, {
      max: burst,
      timeWindow: windowMs,
      ...(redis && { redis: new Redis(redis), nameSpace: `${burst}-` }),
    });
  },
};

export const koaLimiters: Limiters<(rule: HttpRule) => Middleware[]> = {
  none: () => [],
  minimal: (rule) => {
    const take = minimalLimiter(rule);
    return [
      async (ctx, next) => {
        const { allowed, headers } = take(ctx.ip);
        ctx.set(headers);
        if (allowed) {
          await next();
          return;
        }
        ctx.status = 429;
        ctx.body = refusal;
      },
    ];
  },
  ours: (rule) => [forKoa(oursOf(rule))],
  peer: ({ burst, windowMs }) => [koaRateLimit({ driver: "memory", db: new Map(), max: burst, duration: windowMs })],
};

function oursOf({ rate, periodMs, burst, redis }: HttpRule): {
  rate: number;
  period: `${number}ms`;
  burst: number;
  backend?: RedisBackend;
  name?: string;
} {
  const backend = redis && new RedisBackend({ url: `redis://${redis.host}:${redis.port}` });
  return { rate, period: `${periodMs}ms`, burst, ...(backend && { backend, name: `bench-${burst}` }) };
}
