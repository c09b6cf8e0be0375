import { checkOptions } from "@ratelimit/core/adapter";
import type { Step } from "./steps.ts";

/** A global symbol, so that the plugin recognizes limits made by another copy of this package. */
const compileStep: unique symbol = Symbol.for("@ratelimit/fastify route limit");

/** A limit for a route's `config.rateLimit`, as returned by `limitByUser` and `limitByApiKey`. */
export interface RouteLimit {
  readonly [compileStep]: (route: string) => Step;
}

/** Creates a limit that is compiled when its route is declared, because the route provides its name. */
export function routeLimit(compile: (route: string) => Step): RouteLimit {
  return Object.freeze({ [compileStep]: compile });
}

/**
 * Compiles one limit of a route: a {@link RouteLimit} compiles itself, and `compileOptions` compiles options.
 *
 * @throws {RateLimitError} INVALID_OPTION if `limit` is neither.
 */
export function compileLimit<O extends object>(
  limit: O | RouteLimit,
  route: string,
  compileOptions: (options: O, route: string) => Step,
): Step {
  checkOptions(
    "config",
    { "config.rateLimit": limit ?? null },
    {
      "config.rateLimit": {
        expects: "options, a limit from limitByUser or limitByApiKey, an array of these, or false",
        accepts: isObject,
        hint:
          typeof limit === "function"
            ? "for a limit that depends on the request write { limiter: (request) => … }, and call limitByUser({ … })"
            : 'write { rate: 10, period: "1m" }',
      },
    },
  );
  return compileStep in limit ? limit[compileStep](route) : compileOptions(limit, route);
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
