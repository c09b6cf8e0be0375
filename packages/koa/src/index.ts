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
import type { Context, DefaultState, Middleware, Next } from "koa";
import { KoaRequest } from "./request.ts";

/** What a limiter leaves in `ctx.state`. */
export interface RateLimitState {
  /** The tightest decision of the limiters that this request has passed. */
  rateLimit?: RequestRateLimit;
}

type Framework = [next: Next];

/** What {@link rateLimit} takes. */
export type KoaRateLimitOptions = RateLimitOptions<Context, Framework>;
/** What {@link limitByUser} takes. */
export type KoaLimitByUserOptions = LimitByUserOptions<Context, Framework>;
/** What {@link limitByApiKey} takes. */
export type KoaLimitByApiKeyOptions = LimitByApiKeyOptions<Context, Framework>;

/**
 * Limits requests by the client's address, or by `key`; a refusal is a 429 with `Retry-After`.
 *
 * One middleware is one budget, wherever it is mounted. The decision is at `ctx.state.rateLimit`.
 *
 * @throws {RateLimitError} INVALID_OPTION or INVALID_POLICY that tells every problem at once.
 * @example
 * app.use(rateLimit({ rate: 100, period: "1m", excludePaths: ["/health"] }));
 * router.get("/api/public", rateLimit({ rate: 10, period: 60 }), (ctx) => { ctx.body = { status: "ok" }; });
 */
export function rateLimit<S = DefaultState>(options: KoaRateLimitOptions): Middleware<S & RateLimitState> {
  return middleware(createGuard(options, describe, sharedMemoryBackend), options.onLimited);
}

/**
 * Limits requests by `ctx.state.user`: its `id`, else its `sub`. Mount it behind authentication.
 *
 * @throws {RateLimitError} INVALID_OPTION or INVALID_POLICY that tells every problem at once.
 * @example
 * router.get("/api/user", authenticate, limitByUser({ rate: 100, period: 60 }), handler);
 */
export function limitByUser<S = DefaultState>(options: KoaLimitByUserOptions): Middleware<S & RateLimitState> {
  return middleware(createUserGuard(options, describe, userOf, sharedMemoryBackend), options.onLimited);
}

/**
 * Limits requests by their API key (`X-API-Key`, or `header`), of which only a digest is stored.
 * An unchecked key is whatever a client types: pass `valid`, or put a limit by address in front.
 *
 * @throws {RateLimitError} INVALID_OPTION or INVALID_POLICY that tells every problem at once.
 * @example
 * router.get("/api/partner", limitByApiKey({ rate: 1000, period: "1h", valid: (key) => partners.has(key) }), handler);
 */
export function limitByApiKey<S = DefaultState>(options: KoaLimitByApiKeyOptions): Middleware<S & RateLimitState> {
  return middleware(createApiKeyGuard(options, describe, sharedMemoryBackend), options.onLimited);
}

function middleware<S>(guard: Guard<Context>, onLimited: KoaRateLimitOptions["onLimited"]): Middleware<S & RateLimitState> {
  const page = onLimited && throwingErrors(onLimited);
  return function rateLimit(context, next) {
    const ctx = context as unknown as Context;
    return thenMaybe(guard(ctx), (verdict) => apply(verdict, ctx, next));
  };

  async function apply(verdict: Verdict, ctx: Context, next: Next): Promise<unknown> {
    if (verdict.kind === "skip") return next();
    ctx.state["rateLimit"] = verdict.result;
    if (ctx.headerSent) return verdict.kind === "refuse" ? undefined : next();
    for (const name in verdict.headers) ctx.res.setHeader(name, verdict.headers[name] as string);
    if (verdict.kind === "refuse") {
      ctx.status = verdict.status;
      if (page) return page(verdict.result, ctx, next);
      ctx.body = verdict.body;
      return;
    }
    if (verdict.settle) settleAfterResponse(ctx.res, verdict.settle);
    try {
      await next();
    } catch (error) {
      // Koa answers an error with the headers that the error carries, and drops all others.
      if (Object.isExtensible(error))
        Object.assign(error as object, { headers: { ...verdict.headers, ...(error as { headers?: object }).headers } });
      throw error;
    }
  }
}

function userOf(ctx: Context): unknown {
  return ctx.state["user"];
}

function describe(ctx: Context): KoaRequest {
  return new KoaRequest(ctx);
}
