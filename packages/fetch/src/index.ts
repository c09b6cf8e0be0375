import { sharedMemoryBackend } from "@ratelimit/backend-memory";
import type { Limit, LimitByApiKeyOptions, LimitByUserOptions, RateLimitOptions } from "@ratelimit/core/adapter";
import { answerExceeded, createMiddlewares } from "@ratelimit/core/adapter";
import { forExchange, type WithContext } from "./callbacks.ts";
import { FetchExchange } from "./exchange.ts";

export { MemoryBackend } from "@ratelimit/backend-memory";
export type { Backend, Duration, LimitOptions, PolicyOptions, RateLimiterOptions, RateLimitResult } from "@ratelimit/core";
export { configFromEnv, defineConfig, definePolicy, RateLimitError, RateLimitExceeded, RateLimiter } from "@ratelimit/core";
export type { RequestRateLimit } from "@ratelimit/core/adapter";
export { rateLimitOf } from "./exchange.ts";

/**
 * A fetch handler: it gets a request and whatever the platform passes along, and returns a response. Bun's handlers may also return
 * `undefined`, after an upgrade.
 */
export type FetchHandler<R extends Request = Request, C extends unknown[] = [], A extends Response | undefined = Response> = (
  request: R,
  ...context: C
) => A | Promise<A>;

/**
 * Puts a limit in front of a fetch handler. The limited handler returns refusals by itself, and adds the headers to responses. If
 * callbacks read what the platform passes along, it must be called with at least that.
 */
export type FetchLimit<Context extends unknown[] = []> = <
  R extends Request,
  C extends [...Context, ...unknown[]],
  A extends Response | undefined = Response,
>(
  handler: FetchHandler<R, C, A>,
) => (request: R, ...context: [...C, ...unknown[]]) => Promise<Response | Exclude<A, Response>>;

/** The options of {@link rateLimit}. `Context` is what callbacks read of what the platform passes along. */
export type FetchRateLimitOptions<Context extends unknown[] = []> = WithContext<RateLimitOptions<Request>, Context>;
/** The options of {@link limitByUser}. Fetch has no place for a user, so `user` is required. */
export type FetchLimitByUserOptions<Context extends unknown[] = []> = WithContext<
  LimitByUserOptions<Request> & { user: NonNullable<LimitByUserOptions<Request>["user"]> },
  Context
>;
/** The options of {@link limitByApiKey}. */
export type FetchLimitByApiKeyOptions<Context extends unknown[] = []> = WithContext<LimitByApiKeyOptions<Request>, Context>;

const middlewares = createMiddlewares<FetchExchange, [], FetchLimit>({
  userOf: () => undefined,
  defaultBackend: sharedMemoryBackend,
  adaptCallback: forExchange,
  middleware: (limit) => (handler) =>
    async function limited(request, ...context) {
      const response = await admit(limit, new FetchExchange(request, context, () => handler(request, ...(context as never))));
      return response as Response;
    },
});

async function admit(limit: Limit<FetchExchange, []>, exchange: FetchExchange): Promise<Response | undefined> {
  try {
    await limit.admit(exchange, exchange);
  } catch (error) {
    if (!answerExceeded(error, exchange, exchange)) {
      exchange.settle((error as { status?: number } | null)?.status ?? 500);
      throw error;
    }
    exchange.settle(exchange.response?.status ?? 429);
  }
  return exchange.response;
}

/**
 * Limits requests by the client's address, or by `key`. Requests over the limit get a 429 with `Retry-After`.
 *
 * The address comes from Deno's or Bun's second argument, from `trust`, or from `ip`. The limit has one budget, no matter how many handlers
 * it wraps. Handlers find the decision with {@link rateLimitOf}.
 *
 * @throws {RateLimitError} INVALID_OPTION or INVALID_POLICY, with every problem in one error.
 * @example
 * const limit = rateLimit({ rate: 100, period: "1m", trust: 1 });
 * export const GET = limit(async (request) => Response.json({ status: "ok" }));
 */
export function rateLimit<Context extends unknown[] = []>(options: FetchRateLimitOptions<Context>): FetchLimit<Context> {
  return middlewares.rateLimit(options as never);
}

/**
 * Limits requests by user: whatever `user` returns for a request.
 *
 * @throws {RateLimitError} as {@link rateLimit} does.
 * @example
 * const limit = limitByUser({ rate: 100, period: 60, user: (request) => sessionOf(request)?.userId });
 */
export function limitByUser<Context extends unknown[] = []>(options: FetchLimitByUserOptions<Context>): FetchLimit<Context> {
  return middlewares.limitByUser(options as never);
}

/**
 * Limits requests by API key, read from `X-API-Key` or from `header`. Only a digest of the key is stored.
 *
 * Pass `valid`, or put a limit by address in front: otherwise a client gets a fresh bucket for every key it makes up.
 *
 * @throws {RateLimitError} as {@link rateLimit} does.
 * @example
 * const limit = limitByApiKey({ rate: 1000, period: "1h", valid: (key) => partners.has(key) });
 */
export function limitByApiKey<Context extends unknown[] = []>(options: FetchLimitByApiKeyOptions<Context>): FetchLimit<Context> {
  return middlewares.limitByApiKey(options as never);
}
