import { sharedMemoryBackend } from "@ratelimit/backend-memory";
import type { LimitByApiKeyOptions, LimitByUserOptions, RateLimitOptions, RequestRateLimit } from "@ratelimit/core/adapter";
import { createMiddlewares } from "@ratelimit/core/adapter";
import type { Context, DefaultState, Middleware } from "koa";
import { type Framework, KoaExchange } from "./exchange.ts";

export { MemoryBackend } from "@ratelimit/backend-memory";
export type { Backend, Duration, LimitOptions, PolicyOptions, RateLimiterOptions, RateLimitResult } from "@ratelimit/core";
export { configFromEnv, defineConfig, definePolicy, RateLimitError, RateLimitExceeded, RateLimiter } from "@ratelimit/core";
export type { RequestRateLimit } from "@ratelimit/core/adapter";

/** What the middlewares add to `ctx.state`. */
export interface RateLimitState {
  /** The tightest decision made about this request so far; `rateLimit.all` has every one, and `rateLimit.of(name)` one limiter's. */
  rateLimit?: RequestRateLimit;
}

/** The options of {@link rateLimit}. */
export type KoaRateLimitOptions = RateLimitOptions<Context, Framework>;
/** The options of {@link limitByUser}. */
export type KoaLimitByUserOptions = LimitByUserOptions<Context, Framework>;
/** The options of {@link limitByApiKey}. */
export type KoaLimitByApiKeyOptions = LimitByApiKeyOptions<Context, Framework>;

const middlewares = createMiddlewares<Context, Framework, Middleware>({
  userOf: (ctx) => ctx.state["user"] as unknown,
  defaultBackend: sharedMemoryBackend,
  middleware: (limit) =>
    function rateLimit(context, next) {
      const ctx = context as Context;
      return limit.admit(ctx, new KoaExchange(ctx, next));
    },
});

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
  return middlewares.rateLimit(options);
}

/**
 * Limits requests by user: the `id` of `ctx.state.user`, or else its `sub`. Mount it after authentication.
 *
 * @throws {RateLimitError} as {@link rateLimit} does.
 * @example
 * router.get("/api/user", authenticate, limitByUser({ rate: 100, period: 60 }), handler);
 */
export function limitByUser<S = DefaultState>(options: KoaLimitByUserOptions): Middleware<S & RateLimitState> {
  return middlewares.limitByUser(options);
}

/**
 * Limits requests by API key, read from `X-API-Key` or from `header`. Only a digest of the key is stored.
 *
 * Pass `valid`, or put a limit by address in front: otherwise a client gets a fresh bucket for every key it makes up.
 *
 * @throws {RateLimitError} as {@link rateLimit} does.
 * @example
 * router.get("/api/partner", limitByApiKey({ rate: 1000, period: "1h", valid: (key) => partners.has(key) }), handler);
 */
export function limitByApiKey<S = DefaultState>(options: KoaLimitByApiKeyOptions): Middleware<S & RateLimitState> {
  return middlewares.limitByApiKey(options);
}
