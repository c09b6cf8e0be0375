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

/** What the middlewares add to `ctx.state`. */
export interface RateLimitState {
  /** The tightest decision made about this request so far; `rateLimit.all` has every one. */
  rateLimit?: RequestRateLimit;
}

type Framework = [next: Next];

/** The options of {@link rateLimit}. */
export type KoaRateLimitOptions = RateLimitOptions<Context, Framework>;
/** The options of {@link limitByUser}. */
export type KoaLimitByUserOptions = LimitByUserOptions<Context, Framework>;
/** The options of {@link limitByApiKey}. */
export type KoaLimitByApiKeyOptions = LimitByApiKeyOptions<Context, Framework>;

/**
 * Limits requests by the client's address, or by `key`. Requests over the limit get a 429 with `Retry-After`.
 *
 * A middleware has one budget, no matter how many times it is mounted. Handlers find the decision in `ctx.state.rateLimit`.
 *
 * @throws {RateLimitError} INVALID_OPTION or INVALID_POLICY, with every problem in one error.
 * @example
 * app.use(rateLimit({ rate: 100, period: "1m", excludePaths: ["/health"] }));
 * router.get("/api/public", rateLimit({ rate: 10, period: 60 }), (ctx) => { ctx.body = { status: "ok" }; });
 */
export function rateLimit<S = DefaultState>(options: KoaRateLimitOptions): Middleware<S & RateLimitState> {
  return middleware(createGuard(options, describe, sharedMemoryBackend), options.onLimited);
}

/**
 * Limits requests by user: the `id` of `ctx.state.user`, or else its `sub`. Mount it after authentication.
 *
 * @throws {RateLimitError} INVALID_OPTION or INVALID_POLICY, with every problem in one error.
 * @example
 * router.get("/api/user", authenticate, limitByUser({ rate: 100, period: 60 }), handler);
 */
export function limitByUser<S = DefaultState>(options: KoaLimitByUserOptions): Middleware<S & RateLimitState> {
  return middleware(createUserGuard(options, describe, userOf, sharedMemoryBackend), options.onLimited);
}

/**
 * Limits requests by API key, read from `X-API-Key` or from `header`. Only a digest of the key is stored.
 *
 * Pass `valid`, or put a limit by address in front: otherwise a client gets a fresh bucket for every key it makes up.
 *
 * @throws {RateLimitError} INVALID_OPTION or INVALID_POLICY, with every problem in one error.
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
      // When Koa responds to an error, it drops all headers except those on the error itself.
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
