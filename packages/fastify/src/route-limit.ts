import { checkOptions } from "@ratelimit/core/adapter";
import type { Step } from "./steps.ts";

/** The same symbol in every copy of this package, so that a plugin recognizes a limit that another copy made. */
const compileStep: unique symbol = Symbol.for("@ratelimit/fastify route limit");

/** A limit for a route's `config.rateLimit`; `limitByUser` and `limitByApiKey` return one. */
export interface RouteLimit {
  readonly [compileStep]: (route: string) => Step;
}

/** Makes a limit that is compiled when its route is declared, because the route names it. */
export function routeLimit(compile: (route: string) => Step): RouteLimit {
  return Object.freeze({ [compileStep]: compile });
}

/**
 * Compiles one limit of a route: a {@link RouteLimit} compiles itself, options are compiled by `compileOptions`.
 *
 * @throws {RateLimitError} INVALID_OPTION if it is neither.
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
