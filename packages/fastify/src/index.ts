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
    /** The tightest decision of the limiters that this request has passed; null where there was none. */
    rateLimit: RequestRateLimit | null;
  }
  interface FastifyContextConfig {
    /** Replaces the plugin's limit; an array adds to it, `false` lifts it. Anything else is an INVALID_OPTION when the route is declared. */
    rateLimit?: false | RouteRateLimit | readonly RouteRateLimit[];
  }
}

/** When a limit is asked: before the body is read, or in a preHandler, behind authentication. */
interface HookOption {
  hook?: Hook | undefined;
}

type Framework = [reply: FastifyReply];

/** What the plugin and a route's `config.rateLimit` take; `hook` is `"onRequest"`. */
export type FastifyRateLimitOptions = RateLimitOptions<FastifyRequest, Framework> & HookOption;
/** What {@link limitByUser} takes; `hook` is `"preHandler"`, behind the route's own. */
export type FastifyLimitByUserOptions = LimitByUserOptions<FastifyRequest, Framework> & HookOption;
/** What {@link limitByApiKey} takes; `hook` is `"onRequest"`. */
export type FastifyLimitByApiKeyOptions = LimitByApiKeyOptions<FastifyRequest, Framework> & HookOption;
/** What a route's `config.rateLimit` takes: options with a policy, or what {@link limitByUser} and {@link limitByApiKey} return. */
export type RouteRateLimit = (FastifyRateLimitOptions & NoOtherObject) | RouteLimit;

/** Excludes functions and arrays. All options are optional, and Fastify's route types keep TypeScript from asking for one in common. */
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
  // Nearly always for nothing: whoever asks a request for its route has Fastify make an object of it.
  const lateHook = hookThrough((request) => stepsOf(request).preHandler);
  fastify.addHook("preHandler", (request, reply, done) => (someAreLate ? lateHook(request, reply, done) : done()));
};

/**
 * Limits every route of the scope it is registered in, before or after them, by the client's address or by `key`.
 * A route's `config.rateLimit` replaces the limit, an array adds to it, `false` lifts it. Without options it only enables those.
 *
 * A refusal is a 429 with `Retry-After`; the decision is at `request.rateLimit`.
 *
 * @throws {RateLimitError} INVALID_OPTION or INVALID_POLICY that tells every problem at once.
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
 * A route's limit by `request.user`: its `id`, else its `sub`. It runs behind the route's own preHandlers.
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
 * A route's limit by API key (`X-API-Key`, or `header`), of which only a digest is stored.
 * An unchecked key is whatever a client types: pass `valid`, or keep a limit by address too, in an array.
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

/** Whether it is an object literal. Anything else without keys of its own is a mistake, not a plugin without options. */
function isPlain(options: object): boolean {
  const prototype = Object.getPrototypeOf(options) as object | null;
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function step(hook: Hook, onLimited: Step["onLimited"], guard: Step["guard"]): Step {
  checkOptions("options", { hook }, hookRules);
  return { hook, onLimited, guard };
}

/** A policy of a route has the route as its name where processes share the backend, so that all of them mean the same bucket. */
function named<O extends Pick<FastifyRateLimitOptions, "limiter" | "name" | "backend">>(options: O, route: string | undefined): O {
  const { limiter, backend, name = route } = options;
  const shared = limiter === undefined && backend !== undefined && backend.inProcess !== true;
  return shared ? { ...options, name } : options;
}

/** The steps of a request by its hooks; sorted out once for each route. */
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

/** Fastify keeps its options behind a symbol of its own; `initialConfig` leaves this one out. */
function trustProxyOf(scope: object | null): unknown {
  if (scope === null) return undefined;
  const options = Object.getOwnPropertySymbols(scope).find(({ description }) => description === "fastify.options");
  return options === undefined
    ? trustProxyOf(Object.getPrototypeOf(scope) as object | null)
    : (scope as Record<symbol, { trustProxy?: unknown }>)[options]?.trustProxy;
}
