import { sharedMemoryBackend } from "@ratelimit/backend-memory";
import {
  createApiKeyGuard,
  createGuard,
  createUserGuard,
  type Guard,
  type LimitByApiKeyOptions,
  type LimitByUserOptions,
  type RateLimitOptions,
  type RequestRateLimit,
  settleAfterResponse,
  thenMaybe,
  throwingErrors,
  type Verdict,
} from "@ratelimit/core/adapter";
import type { NextFunction, Request, RequestHandler, Response } from "express";
import { ExpressRequest } from "./request.ts";

declare global {
  namespace Express {
    interface Request {
      /** The tightest decision made about this request so far; `rateLimit.all` has every one. */
      rateLimit?: RequestRateLimit;
    }
  }
}

type Framework = [res: Response, next: NextFunction];

/** The options of {@link rateLimit}. */
export type ExpressRateLimitOptions = RateLimitOptions<Request, Framework>;
/** The options of {@link limitByUser}. */
export type ExpressLimitByUserOptions = LimitByUserOptions<Request, Framework>;
/** The options of {@link limitByApiKey}. */
export type ExpressLimitByApiKeyOptions = LimitByApiKeyOptions<Request, Framework>;

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
export function rateLimit(options: ExpressRateLimitOptions): RequestHandler {
  return middleware(createGuard(options, describe, sharedMemoryBackend), options.onLimited);
}

/**
 * Limits requests by user: the `id` of `req.user`, or else its `sub`. Mount it after authentication.
 *
 * @throws {RateLimitError} INVALID_OPTION or INVALID_POLICY, with every problem in one error.
 * @example
 * app.get("/api/user", authenticate, limitByUser({ rate: 100, period: 60 }), handler);
 */
export function limitByUser(options: ExpressLimitByUserOptions): RequestHandler {
  return middleware(createUserGuard(options, describe, userOf, sharedMemoryBackend), options.onLimited);
}

/**
 * Limits requests by API key, read from `X-API-Key` or from `header`. Only a digest of the key is stored.
 *
 * Pass `valid`, or put a limit by address in front: otherwise a client gets a fresh bucket for every key it makes up.
 *
 * @throws {RateLimitError} INVALID_OPTION or INVALID_POLICY, with every problem in one error.
 * @example
 * app.get("/api/partner", limitByApiKey({ rate: 1000, period: "1h", valid: (key) => partners.has(key) }), handler);
 */
export function limitByApiKey(options: ExpressLimitByApiKeyOptions): RequestHandler {
  return middleware(createApiKeyGuard(options, describe, sharedMemoryBackend), options.onLimited);
}

function middleware(guard: Guard<Request>, onLimited: ExpressRateLimitOptions["onLimited"]): RequestHandler {
  const page = onLimited && throwingErrors(onLimited);
  return function rateLimit(req, res, next) {
    return thenMaybe(guard(req), (verdict) => apply(verdict, req, res, next));
  };

  function apply(verdict: Verdict, req: Request, res: Response, next: NextFunction): unknown {
    if (verdict.kind === "skip") return next();
    req.rateLimit = verdict.result;
    if (res.headersSent) return verdict.kind === "refuse" ? undefined : next();
    for (const name in verdict.headers) res.setHeader(name, verdict.headers[name] as string);
    if (verdict.kind === "refuse") {
      res.status(verdict.status);
      return page ? page(verdict.result, req, res, next) : res.end(verdict.body);
    }
    if (verdict.settle) settleAfterResponse(res, verdict.settle);
    next();
  }
}

function userOf(req: Request): unknown {
  return (req as { user?: unknown }).user;
}

function describe(req: Request): ExpressRequest {
  return new ExpressRequest(req);
}
