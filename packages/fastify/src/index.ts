import { sharedMemoryBackend } from "@ratelimit/backend-memory";
import {
  checkOptions,
  createApiKeyGuard,
  createGuard,
  createUserGuard,
  forwardedIgnored,
  type HttpRequest,
  type LimitByApiKeyOptions,
  type LimitByUserOptions,
  type ProxyAdvice,
  type RateLimitOptions,
  type RequestRateLimit,
  type Rules,
} from "@ratelimit/core/adapter";
import type { FastifyPluginAsync, FastifyPluginOptions, FastifyReply, FastifyRequest } from "fastify";
import fp from "fastify-plugin";
import { compileLimit, type RouteLimit, routeLimit } from "./route-limit.ts";
import { Routes } from "./routes.ts";
import { type Hook, hookThrough, replyTo, type Step } from "./steps.ts";

export type { RouteLimit } from "./route-limit.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** The tightest decision made about this request so far, or `null` if there is none; `rateLimit.all` has every one. */
    rateLimit: RequestRateLimit | null;
  }
  interface FastifyContextConfig {
    /**
     * A limit that replaces the plugin's limit, an array of limits that adds to it, or `false` to remove it.
     * Anything else throws INVALID_OPTION when the route is declared.
     */
    rateLimit?: false | RouteRateLimit | readonly RouteRateLimit[];
  }
}

interface HookOption {
  /** When the limit is checked: `"onRequest"`, before the body is read, or `"preHandler"`, after authentication. */
  hook?: Hook | undefined;
}

type Framework = [reply: FastifyReply];

/** The options of the plugin and of a route's `config.rateLimit`. `hook` defaults to `"onRequest"`. */
export type FastifyRateLimitOptions = RateLimitOptions<FastifyRequest, Framework> & HookOption;
/** The options of {@link limitByUser}. `hook` defaults to `"preHandler"`, after the route's own preHandlers. */
export type FastifyLimitByUserOptions = LimitByUserOptions<FastifyRequest, Framework> & HookOption;
/** The options of {@link limitByApiKey}. `hook` defaults to `"onRequest"`. */
export type FastifyLimitByApiKeyOptions = LimitByApiKeyOptions<FastifyRequest, Framework> & HookOption;
/** A limit for a route's `config.rateLimit`: options with a policy, or the result of {@link limitByUser} or {@link limitByApiKey}. */
export type RouteRateLimit = (FastifyRateLimitOptions & NoOtherObject) | RouteLimit;

/** Excludes functions and arrays, which would compile: every option is optional, and Fastify's route types disable the weak-type check. */
type NoOtherObject = object & { readonly [Symbol.hasInstance]?: never; readonly [Symbol.iterator]?: never };

const hookRules: Rules = {
  hook: { expects: '"onRequest" or "preHandler"', accepts: (value) => value === "onRequest" || value === "preHandler" },
};

const plugin: FastifyPluginAsync<FastifyRateLimitOptions | Record<never, never>> = async (fastify, options) => {
  if (!fastify.hasRequestDecorator("rateLimit")) fastify.decorateRequest("rateLimit", null);
  const {
    prefix: _prefix,
    logLevel: _level,
    logSerializers: _serializers,
    ...given
  } = options as FastifyRateLimitOptions & FastifyPluginOptions;
  const own = isPlain(options) && Reflect.ownKeys(given).length === 0 ? [] : [compileOptions(given)];
  const routes = Routes.of(fastify.server, compile);
  fastify.addHook("onRoute", (route) => {
    const late = routes.declare(route).filter(({ hook }) => hook === "preHandler");
    if (late.length > 0) route.preHandler = [route.preHandler ?? [], hookThrough(() => late)].flat();
  });
  const stepsOf = stepsByRoute(routes, own);
  let someAreLate = false;
  fastify.addHook(
    "onRequest",
    hookThrough((request) => {
      const { onRequest, preHandler } = stepsOf(request);
      someAreLate ||= preHandler.length > 0;
      return onRequest;
    }),
  );
  // Most apps have no preHandler limits, and reading `routeOptions` makes Fastify build an object per request.
  const lateHook = hookThrough((request) => stepsOf(request).preHandler);
  fastify.addHook("preHandler", (request, reply, done) => (someAreLate ? lateHook(request, reply, done) : done()));
};

/**
 * Limits every route of its scope by the client's address, or by `key`. Requests over the limit get a 429 with `Retry-After`.
 *
 * It may be registered before or after the routes. A route's `config.rateLimit` replaces the limit, an array adds to it, and `false`
 * removes it. Without options, the plugin only enables limits in routes. Handlers find the decision in `request.rateLimit`.
 *
 * @throws {RateLimitError} INVALID_OPTION or INVALID_POLICY, with every problem in one error.
 * @example
 * await fastify.register(rateLimit, { rate: 100, period: "1m", excludePaths: ["/health"] });
 * fastify.get("/api/public", { config: { rateLimit: { rate: 10, period: 60 } } }, async () => ({ status: "ok" }));
 */
export const rateLimit: FastifyPluginAsync<FastifyRateLimitOptions | Record<never, never>> = fp(plugin, {
  fastify: "5.x",
  name: "@ratelimit/fastify",
});

export default rateLimit;

/**
 * Limits a route by user: the `id` of `request.user`, or else its `sub`. The limit runs after the route's own preHandlers.
 *
 * @throws {RateLimitError} INVALID_OPTION or INVALID_POLICY when the route is declared.
 * @example
 * fastify.get("/api/user", { preHandler: authenticate, config: { rateLimit: limitByUser({ rate: 100, period: 60 }) } }, handler);
 */
export function limitByUser({ hook = "preHandler", ...options }: FastifyLimitByUserOptions): RouteLimit {
  return routeLimit((route) =>
    step(hook, options.onLimited, createUserGuard(named(options, route), describe, userOf, sharedMemoryBackend)),
  );
}

/**
 * Limits a route by API key, read from `X-API-Key` or from `header`. Only a digest of the key is stored.
 *
 * Pass `valid`, or add a limit by address in an array: otherwise a client gets a fresh bucket for every key it makes up.
 *
 * @throws {RateLimitError} INVALID_OPTION or INVALID_POLICY when the route is declared.
 * @example
 * fastify.get("/api/partner", { config: { rateLimit: limitByApiKey({ rate: 1000, period: "1h" }) } }, handler);
 */
export function limitByApiKey({ hook = "onRequest", ...options }: FastifyLimitByApiKeyOptions): RouteLimit {
  return routeLimit((route) => step(hook, options.onLimited, createApiKeyGuard(named(options, route), describe, sharedMemoryBackend)));
}

function compile(limit: RouteRateLimit, route: string): Step {
  return compileLimit(limit, route, compileOptions);
}

function compileOptions({ hook, ...options }: FastifyRateLimitOptions, route?: string): Step {
  return step(hook ?? "onRequest", options.onLimited, createGuard(named(options, route), describe, sharedMemoryBackend));
}

/** Whether `options` is an object literal. Anything else without own keys is a mistake, not a plugin without options. */
function isPlain(options: object): boolean {
  const prototype = Object.getPrototypeOf(options) as object | null;
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function step(hook: Hook, onLimited: Step["onLimited"], guard: Step["guard"]): Step {
  checkOptions("options", { hook }, hookRules);
  return { hook, onLimited, guard };
}

/** On a backend that processes share, a route's limiter is named after the route, so that all processes use the same bucket. */
function named<O extends Pick<FastifyRateLimitOptions, "limiter" | "name" | "backend">>(options: O, route: string | undefined): O {
  const { limiter, backend, name = route } = options;
  const shared = limiter === undefined && backend !== undefined && backend.inProcess !== true;
  return shared ? { ...options, name } : options;
}

/** Looks up a request's steps by hook, computed once per route. */
function stepsByRoute(routes: Routes, own: readonly Step[]): (request: FastifyRequest) => Record<Hook, readonly Step[]> {
  const sorted = new WeakMap<object, Record<Hook, readonly Step[]>>();
  const noRoute = {};
  return ({ routeOptions }) => {
    const config = routeOptions.config ?? noRoute;
    const known = sorted.get(config);
    if (known !== undefined) return known;
    const limits = config.rateLimit;
    const steps = limits === undefined ? own : [...(Array.isArray(limits) ? own : []), ...routes.find(config)];
    const byHook = {
      onRequest: steps.filter(({ hook }) => hook === "onRequest"),
      preHandler: steps.filter(({ hook }) => hook === "preHandler"),
    };
    sorted.set(config, byHook);
    return byHook;
  };
}

function userOf(request: FastifyRequest): unknown {
  return (request as { user?: unknown }).user;
}

function describe(request: FastifyRequest): HttpRequest {
  return {
    method: request.method,
    url: request.originalUrl,
    ip: request.ip,
    socketAddress: request.socket.remoteAddress,
    header: (name) => request.headers[name.toLowerCase()] as string | undefined,
    responseHeader: (name) => replyTo(request)?.getHeader(name)?.toString(),
    proxyAdvice: () => proxyAdvice(trustProxyOf(request.server)),
  };
}

const trustsNobody: ProxyAdvice = {
  code: "RATELIMIT_FASTIFY_TRUST_PROXY",
  message:
    "Fastify's numeric `trustProxy` trusts nobody since 5.12.1, so all clients behind the proxy share one address; set their networks, or the option `trust`",
};

function proxyAdvice(trustProxy: unknown): ProxyAdvice | undefined {
  if (typeof trustProxy === "number") return trustsNobody;
  return trustProxy ? undefined : forwardedIgnored;
}

/** Fastify keeps its options behind a private symbol, and `initialConfig` omits `trustProxy`. */
function trustProxyOf(scope: object | null): unknown {
  if (scope === null) return undefined;
  const options = Object.getOwnPropertySymbols(scope).find(({ description }) => description === "fastify.options");
  return options === undefined
    ? trustProxyOf(Object.getPrototypeOf(scope) as object | null)
    : (scope as Record<symbol, { trustProxy?: unknown }>)[options]?.trustProxy;
}
