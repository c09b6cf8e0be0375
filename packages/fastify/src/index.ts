import { isPlain, type RequestRateLimit } from "@ratelimit/core/adapter";
import type { FastifyInstance, FastifyPluginAsync, FastifyPluginOptions, FastifyRequest } from "fastify";
import fp from "fastify-plugin";
import { answerExceededErrors } from "./exceeded.ts";
import {
  compileStep,
  type FastifyLimitByApiKeyOptions,
  type FastifyLimitByUserOptions,
  type FastifyRateLimitOptions,
  type Hook,
  hookThrough,
  type Scope,
  type Step,
} from "./limits.ts";
import { maker, type RouteLimit, type RouteRateLimit, routeLimit } from "./route-limit.ts";
import { Routes } from "./routes.ts";

export { MemoryBackend } from "@ratelimit/backend-memory";
export type { Backend, Duration, LimitOptions, PolicyOptions, RateLimiterOptions, RateLimitResult } from "@ratelimit/core";
export { configFromEnv, defineConfig, definePolicy, RateLimitError, RateLimitExceeded, RateLimiter } from "@ratelimit/core";
export type { RequestRateLimit } from "@ratelimit/core/adapter";

export type { FastifyLimitByApiKeyOptions, FastifyLimitByUserOptions, FastifyRateLimitOptions } from "./limits.ts";
export type { RouteLimit, RouteRateLimit } from "./route-limit.ts";

declare module "fastify" {
  interface FastifyRequest {
    /**
     * The tightest decision made about this request so far, or `null` if there is none; `rateLimit.all` has every one, and
     * `rateLimit.of(name)` one limiter's.
     */
    rateLimit: RequestRateLimit | null;
  }
  interface FastifyContextConfig {
    /**
     * A limit that replaces the plugin's limit and inherits its other options, an array of limits that adds to it, or `false` to remove it.
     * Anything else throws INVALID_OPTION when the route is declared.
     */
    rateLimit?: false | RouteRateLimit | readonly RouteRateLimit[] | undefined;
  }
}

/** The property of a scope that holds what its plugin passes on. Scopes inside it find it through their prototypes. */
const scopeSlot: unique symbol = Symbol("@ratelimit/fastify scope");

type ScopedInstance = FastifyInstance & { [scopeSlot]?: Scope };

const plugin: FastifyPluginAsync<FastifyRateLimitOptions | Record<never, never>> = async (fastify: ScopedInstance, options) => {
  if (!fastify.hasRequestDecorator("rateLimit")) fastify.decorateRequest("rateLimit", null);
  const {
    prefix: _prefix,
    logLevel: _level,
    logSerializers: _serializers,
    ...given
  } = options as FastifyRateLimitOptions & FastifyPluginOptions;
  // Anything else without own keys is a mistake, not a plugin without options.
  const own = isPlain(options) && Reflect.ownKeys(given).length === 0 ? undefined : compileStep({ kind: "plain", options: given });
  const { hook, ...inherited } = given;
  fastify[scopeSlot] = { options: inherited, limiter: own?.limit.limiter, hook };
  const routes = Routes.of(fastify.server);
  routes.forget(fastify);
  fastify.addHook("onRoute", function (this: ScopedInstance, route) {
    const lateSteps = routes.declare(route, this, this[scopeSlot]);
    if (lateSteps().length > 0) route.preHandler = [route.preHandler ?? [], hookThrough(lateSteps)].flat();
  });
  const stepsOf = stepsByRoute(routes, own === undefined ? [] : [own]);
  let someAreLate = false;
  fastify.addHook(
    "onRequest",
    hookThrough((request) => {
      const { onRequest, preHandler } = stepsOf(request);
      someAreLate ||= preHandler.length > 0;
      return onRequest;
    }),
  );
  answerExceededErrors(fastify);
  // Most apps have no preHandler limits, and reading `routeOptions` makes Fastify build an object per request.
  fastify.addHook(
    "preHandler",
    hookThrough((request) => (someAreLate ? stepsOf(request).preHandler : [])),
  );
};

/**
 * Limits every route of its scope by the client's address, or by `key`. Requests over the limit get a 429 with `Retry-After`.
 *
 * It may be registered before or after the routes. A route's `config.rateLimit` replaces the limit, an array adds to it, and `false`
 * removes it. A route's limit inherits the plugin's other options, field by field. Without options, the plugin only enables limits in
 * routes. Handlers find the decision in `request.rateLimit`.
 *
 * @throws {RateLimitError} INVALID_OPTION or INVALID_POLICY, with every problem in one error.
 * @example
 * await fastify.register(rateLimit, { rate: 100, period: "1m", excludePaths: ["/health"] });
 * fastify.get("/api/public", { config: { rateLimit: { rate: 10, period: 60 } } }, async () => ({ status: "ok" }));
 */
export const rateLimit: FastifyPluginAsync<FastifyRateLimitOptions | Record<never, never>> = maker(
  fp(plugin, { fastify: "5.x", name: "@ratelimit/fastify" }),
);

export default rateLimit;

/**
 * Limits a route by user: the `id` of `request.user`, or else its `sub`. The limit runs after the route's own preHandlers.
 *
 * @throws {RateLimitError} INVALID_OPTION or INVALID_POLICY when the route is declared.
 * @example
 * fastify.get("/api/user", { preHandler: authenticate, config: { rateLimit: limitByUser({ rate: 100, period: 60 }) } }, handler);
 */
export const limitByUser: (options: FastifyLimitByUserOptions) => RouteLimit = maker((options) => routeLimit("user", options));

/**
 * Limits a route by API key, read from `X-API-Key` or from `header`. Only a digest of the key is stored.
 *
 * Pass `valid`, or add a limit by address in an array: otherwise a client gets a fresh bucket for every key it makes up.
 *
 * @throws {RateLimitError} INVALID_OPTION or INVALID_POLICY when the route is declared.
 * @example
 * fastify.get("/api/partner", { config: { rateLimit: limitByApiKey({ rate: 1000, period: "1h" }) } }, handler);
 */
export const limitByApiKey: (options: FastifyLimitByApiKeyOptions) => RouteLimit = maker((options) => routeLimit("apiKey", options));

/** Looks up a request's steps by hook, computed once per route. */
function stepsByRoute(routes: Routes, own: readonly Step[]): (request: FastifyRequest) => Record<Hook, readonly Step[]> {
  const sorted = new WeakMap<object, Record<Hook, readonly Step[]>>();
  const noRoute = {};
  return ({ routeOptions, server }) => {
    const config = routeOptions.config ?? noRoute;
    const known = sorted.get(config);
    if (known !== undefined) return known;
    const limits = config.rateLimit;
    const scope = (server as ScopedInstance)[scopeSlot];
    const steps = limits === undefined ? own : [...(Array.isArray(limits) ? own : []), ...routes.find(config, scope)];
    const byHook = {
      onRequest: steps.filter(({ hook }) => hook === "onRequest"),
      preHandler: steps.filter(({ hook }) => hook === "preHandler"),
    };
    sorted.set(config, byHook);
    return byHook;
  };
}
