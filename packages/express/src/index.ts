import type { IncomingMessage, ServerResponse } from "node:http";
import { sharedMemoryBackend } from "@ratelimit/backend-memory";
import type { LimitByApiKeyOptions, LimitByUserOptions, RateLimitOptions, RequestRateLimit } from "@ratelimit/core/adapter";
import { answerExceeded, createMiddlewares } from "@ratelimit/core/adapter";
import type { ErrorRequestHandler, Request, Response } from "express";
import { ExpressExchange, type Framework } from "./exchange.ts";

export { MemoryBackend } from "@ratelimit/backend-memory";
export type { Backend, Duration, LimitOptions, PolicyOptions, RateLimiterOptions, RateLimitResult } from "@ratelimit/core";
export { configFromEnv, defineConfig, definePolicy, RateLimitError, RateLimitExceeded, RateLimiter } from "@ratelimit/core";
export type { RequestRateLimit } from "@ratelimit/core/adapter";

declare global {
  namespace Express {
    interface Request {
      /** The tightest decision made about this request so far; `rateLimit.all` has every one, and `rateLimit.of(name)` one limiter's. */
      rateLimit?: RequestRateLimit;
    }
  }
}

/** The options of {@link rateLimit}. */
export type ExpressRateLimitOptions = RateLimitOptions<Request, Framework>;
/** The options of {@link limitByUser}. */
export type ExpressLimitByUserOptions = LimitByUserOptions<Request, Framework>;
/** The options of {@link limitByApiKey}. */
export type ExpressLimitByApiKeyOptions = LimitByApiKeyOptions<Request, Framework>;

/**
 * A middleware for Express and for plain Node requests, as connect, socket.io's `io.engine.use` and NestJS on Fastify call it. It does
 * not mention a route's parameters, so the handlers behind it keep the types that Express infers from the path.
 */
export type RateLimitMiddleware = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void;

const middlewares = createMiddlewares<Request, Framework, RateLimitMiddleware>({
  userOf: (req) => (req as { user?: unknown }).user,
  defaultBackend: sharedMemoryBackend,
  middleware: (limit) =>
    function rateLimit(req, res, next) {
      void limit.admit(req as Request, new ExpressExchange(req as Request, res as Response, next));
    },
});

/**
 * Limits requests by the client's address, or by `key`. Requests over the limit get a 429 with `Retry-After`.
 *
 * A middleware has one budget, no matter how many times it is mounted. Handlers find the decision in `req.rateLimit`.
 *
 * @throws {RateLimitError} INVALID_OPTION or INVALID_POLICY, with every problem in one error.
 * @example
 * app.use(rateLimit({ rate: 100, period: "1m", excludePaths: ["/health"] }));
 * app.get("/api/public", rateLimit({ rate: 10, period: 60 }), (req, res) => res.json({ status: "ok" }));
 */
export function rateLimit(options: ExpressRateLimitOptions): RateLimitMiddleware {
  return middlewares.rateLimit(options);
}

/**
 * Limits requests by user: the `id` of `req.user`, or else its `sub`. Mount it after authentication.
 *
 * @throws {RateLimitError} as {@link rateLimit} does.
 * @example
 * app.get("/api/user", authenticate, limitByUser({ rate: 100, period: 60 }), handler);
 */
export function limitByUser(options: ExpressLimitByUserOptions): RateLimitMiddleware {
  return middlewares.limitByUser(options);
}

/**
 * Limits requests by API key, read from `X-API-Key` or from `header`. Only a digest of the key is stored.
 *
 * Pass `valid`, or put a limit by address in front: otherwise a client gets a fresh bucket for every key it makes up.
 *
 * @throws {RateLimitError} as {@link rateLimit} does.
 * @example
 * app.get("/api/partner", limitByApiKey({ rate: 1000, period: "1h", valid: (key) => partners.has(key) }), handler);
 */
export function limitByApiKey(options: ExpressLimitByApiKeyOptions): RateLimitMiddleware {
  return middlewares.limitByApiKey(options);
}

/**
 * Answers a {@link RateLimitExceeded} that `enforce`, `wait` or a handler threw like a refusal by a limit: in the header modes of the
 * request's limits, with problem details. Mount it behind all routes. Other errors go on to the next error handler.
 *
 * @example
 * app.use(rateLimitErrors);
 */
export const rateLimitErrors: ErrorRequestHandler = (error: unknown, req, res, next) => {
  if (!answerExceeded(error, req, new ExpressExchange(req, res, next))) next(error);
};
