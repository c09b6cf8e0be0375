import { sharedMemoryBackend } from "@ratelimit/backend-memory";
import {
  checkOptions,
  createMiddlewares,
  type Inherited,
  inheritOptions,
  type Limit,
  type LimitByApiKeyOptions,
  type LimitByUserOptions,
  type RateLimitOptions,
  type Rules,
} from "@ratelimit/core/adapter";
import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction, onRequestHookHandler, preHandlerHookHandler } from "fastify";
import { FastifyExchange, type Framework, type Next } from "./exchange.ts";
import { keepHeadersWhenHijacked } from "./hijack.ts";

/** The Fastify hook in which a limit is checked. */
export type Hook = "onRequest" | "preHandler";

interface HookOption {
  /**
   * When the limit is checked: `"onRequest"`, before the body is read, or `"preHandler"`, after authentication.
   * @defaultValue `"preHandler"` for `limitByUser`, otherwise that of the plugin, or `"onRequest"`
   */
  hook?: Hook | undefined;
}

/** The options of the plugin and of a route's `config.rateLimit`. */
export type FastifyRateLimitOptions = RateLimitOptions<FastifyRequest, Framework> & HookOption;
/** The options of `limitByUser`. */
export type FastifyLimitByUserOptions = LimitByUserOptions<FastifyRequest, Framework> & HookOption;
/** The options of `limitByApiKey`. */
export type FastifyLimitByApiKeyOptions = LimitByApiKeyOptions<FastifyRequest, Framework> & HookOption;

/** One call of `rateLimit`, `limitByUser` or `limitByApiKey`, not compiled yet: a route adds its name and the options that it inherits. */
export interface Call {
  readonly kind: "plain" | "user" | "apiKey";
  readonly options: FastifyRateLimitOptions | FastifyLimitByUserOptions | FastifyLimitByApiKeyOptions;
}

/** One of the limits that a request must pass. */
export interface Step {
  readonly hook: Hook;
  readonly limit: Limit<FastifyRequest, Framework>;
}

/** What the plugin of a scope passes on to the routes in it. */
export type Scope = Inherited<FastifyRequest> & { readonly hook: Hook | undefined };

const middlewares = createMiddlewares<FastifyRequest, Framework, Limit<FastifyRequest, Framework>>({
  userOf: (request) => (request as { user?: unknown }).user,
  defaultBackend: sharedMemoryBackend,
  declaresLimits: true,
  middleware: (limit) => limit,
});

const compile: Readonly<Record<Call["kind"], (options: Call["options"]) => Step["limit"]>> = {
  plain: (options) => middlewares.rateLimit(options),
  user: (options) => middlewares.limitByUser(options),
  apiKey: (options) => middlewares.limitByApiKey(options),
};

const hookRules: Rules = {
  hook: {
    expects: '"onRequest" or "preHandler"',
    accepts: (value) => value === "onRequest" || value === "preHandler",
    hint: 'leave it out, or write hook: "preHandler" to limit after authentication',
  },
};

/** Compiles the plugin's own limit. */
export function compileStep({ kind, options: { hook = "onRequest", ...options } }: Call): Step {
  checkOptions("options", { hook }, hookRules);
  return { hook, limit: compile[kind](options) };
}

/** Compiles a limit of a route, with the options that it inherits from the plugin of its scope. */
export function compileRouteStep({ kind, options }: Call, route: string, scope: Scope | undefined): Step {
  const { hook = kind === "user" ? "preHandler" : scope?.hook, ...own } = options;
  const all = scope === undefined ? own : inheritOptions(kind, own, scope);
  return compileStep({ kind, options: { ...named(all, route), hook } });
}

/** On a backend that processes share, a route's limiter is named after the route, so that all processes use the same bucket. */
function named<O extends FastifyRateLimitOptions>(options: O, route: string): O {
  const { limiter, backend, config, name = config?.name ?? route } = options;
  const isStored = limiter === undefined || (typeof limiter === "function" && backend !== undefined);
  return isStored && backend !== undefined && backend.inProcess !== true ? { ...options, name } : options;
}

/** Creates a hook that runs a request through the limits that `choose` returns, one by one, until one refuses it. */
export function hookThrough(choose: (request: FastifyRequest) => readonly Step[]): onRequestHookHandler & preHandlerHookHandler {
  return function rateLimit(request, reply, done) {
    keepHeadersWhenHijacked(reply);
    run(choose(request), 0, request, reply, done);
  };
}

function run(steps: readonly Step[], at: number, request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction): void {
  const step = steps[at];
  if (step === undefined) done();
  else void step.limit.admit(request, new FastifyExchange(request, reply, new Position(steps, at + 1, done)));
}

/** The place of a request among the limits that it passes. An object, because it takes a closure less per request. */
class Position implements Next {
  readonly #steps: readonly Step[];
  readonly #at: number;
  readonly #done: HookHandlerDoneFunction;

  constructor(steps: readonly Step[], at: number, done: HookHandlerDoneFunction) {
    this.#steps = steps;
    this.#at = at;
    this.#done = done;
  }

  proceed(request: FastifyRequest, reply: FastifyReply): void {
    run(this.#steps, this.#at, request, reply, this.#done);
  }

  fail(error: Error): void {
    this.#done(error);
  }
}
