import { RateLimitError } from "@ratelimit/core";
import { warnOnce } from "@ratelimit/core/adapter";
import type { FastifyContextConfig, RouteOptions } from "fastify";
import { compileRouteStep, type Scope, type Step } from "./limits.ts";
import { callOf, type RouteRateLimit } from "./route-limit.ts";

/** The limits of an app's routes. Each is compiled once for all scopes and named after its route, plus a number from the second on. */
export class Routes {
  static readonly #ofApp = new WeakMap<object, Routes>();
  readonly #steps = new Map<string, Map<RouteRateLimit, Step>>();
  /** The routes that were declared while a plugin was ready, each with the instance that it was declared on. */
  readonly #declared = new Map<string, object>();

  private constructor() {}

  /** Returns the routes of an app, identified by its `server`, the one object that all its scopes share. */
  static of(server: object): Routes {
    const routes = Routes.#ofApp.get(server) ?? new Routes();
    Routes.#ofApp.set(server, routes);
    return routes;
  }

  /**
   * Compiles a route's limits when it is declared, so that mistakes throw there. Returns a function that returns those that run after the
   * route's own preHandlers: none if the route has been forgotten.
   */
  declare(
    { method, url, config, rateLimit }: RouteOptions & { rateLimit?: unknown },
    instance: object,
    scope: Scope | undefined,
  ): () => readonly Step[] {
    if (rateLimit !== undefined) throw misplaced();
    const route = nameOf(method, url);
    this.#declared.set(route, instance);
    const late = this.#stepsOf(route, config?.rateLimit, scope).filter(({ hook }) => hook === "preHandler");
    return () => (this.#declared.has(route) ? late : []);
  }

  /**
   * Forgets the routes that were declared on an instance before its own plugin was ready. They were compiled with the options of an outer
   * plugin, and are now like routes that were declared before any plugin.
   */
  forget(instance: object): void {
    for (const [route, declaredOn] of this.#declared) {
      if (declaredOn !== instance) continue;
      this.#declared.delete(route);
      this.#steps.delete(route);
    }
  }

  /** Returns the limits that the plugin's hooks run for a route: those in `onRequest`, or all if it was declared before the plugin. */
  find(config: Partial<FastifyContextConfig> & { method?: string | string[]; url?: string }, scope: Scope | undefined): readonly Step[] {
    const { method = "", url = "", rateLimit } = config;
    const route = nameOf(method, url);
    const steps = this.#stepsOf(route, rateLimit, scope);
    if (this.#declared.has(route)) return steps.filter(({ hook }) => hook === "onRequest");
    if (steps.some(({ hook }) => hook === "preHandler"))
      warnOnce(
        "RATELIMIT_ROUTE_BEFORE_PLUGIN",
        `${route} was declared before @ratelimit/fastify was ready, so its limit runs before the route's own preHandlers; register the plugin first, and await it: await fastify.register(rateLimit)`,
      );
    return steps;
  }

  #stepsOf(route: string, limits: FastifyContextConfig["rateLimit"], scope: Scope | undefined): readonly Step[] {
    return limits === undefined || limits === false ? [] : [limits].flat().map((limit) => this.#step(route, limit, scope));
  }

  #step(route: string, limit: RouteRateLimit, scope: Scope | undefined): Step {
    const known = this.#steps.get(route) ?? new Map<RouteRateLimit, Step>();
    this.#steps.set(route, known);
    const name = known.size === 0 ? route : `${route} ${known.size + 1}`;
    const step = known.get(limit) ?? compileRouteStep(callOf(limit), name, scope);
    known.set(limit, step);
    return step;
  }
}

/** Fastify ignores unknown route options, so a limit beside `config` would silently have no effect. */
function misplaced(): RateLimitError {
  return new RateLimitError(
    "INVALID_OPTION",
    "Expected `rateLimit` to be inside the route's `config`, got it beside `config`: write { config: { rateLimit: { rate: 10 } } }",
  );
}

/** Gives a GET route and the HEAD route that Fastify adds to it the same name. */
function nameOf(method: string | readonly string[], url: string): string {
  const methods = [method].flat().map((name) => (name === "HEAD" ? "GET" : name));
  return `${[...new Set(methods)].join("|")} ${url}`;
}
