import { areOptions, checkOptions, type Rule } from "@ratelimit/core/adapter";
import type { FastifyRequest } from "fastify";
import type { Call, FastifyRateLimitOptions } from "./limits.ts";

/** A global symbol, so that the plugin recognizes limits made by another copy of this package. */
const call: unique symbol = Symbol.for("@ratelimit/fastify route limit");

/** A limit for a route's `config.rateLimit`, as returned by `limitByUser` and `limitByApiKey`. */
export interface RouteLimit {
  readonly [call]: Call;
}

/** Computes the limiter or policy of a request, like the option `limiter`. */
type LimiterFunction = (request: FastifyRequest) => ReturnType<Extract<FastifyRateLimitOptions["limiter"], (...args: never) => unknown>>;

/**
 * A limit for a route's `config.rateLimit`: options, a function that returns the policy of a request, or the result of `limitByUser` or
 * `limitByApiKey`.
 */
export type RouteRateLimit = (FastifyRateLimitOptions & NoOtherObject) | LimiterFunction | RouteLimit;

/**
 * Excludes functions, arrays, promises, dates, regular expressions and errors, which would compile: every option is optional, and Fastify's
 * route types disable the weak-type check.
 */
type NoOtherObject = object & {
  readonly [Symbol.hasInstance]?: never;
  readonly [Symbol.iterator]?: never;
  readonly [Symbol.toPrimitive]?: never;
  readonly [Symbol.match]?: never;
  readonly then?: never;
  readonly stack?: never;
};

export function routeLimit(kind: Call["kind"], options: Call["options"]): RouteLimit {
  return Object.freeze({ [call]: { kind, options } });
}

/** The functions of this package that make limits. One that was not called is a mistake, not a limit that is computed per request. */
const makers = new WeakSet<object>();

/** Marks a function as one that makes limits and is none itself. */
export function maker<F extends object>(make: F): F {
  makers.add(make);
  return make;
}

function ruleFor(limit: unknown): Rule {
  return {
    expects: "options, a function that returns a policy, a limit from limitByUser or limitByApiKey, an array of these, or false",
    accepts: (value) => {
      if (typeof value === "function") return !makers.has(value);
      return typeof value === "object" && value !== null && !Array.isArray(value) && (call in value || areOptions("plain", value));
    },
    hint: typeof limit === "function" ? "call it, as in limitByUser({ … })" : 'write { rate: 10, period: "1m" }',
  };
}

/**
 * Reads a limit from a route's `config.rateLimit`.
 * @throws {RateLimitError} INVALID_OPTION if `limit` is none.
 */
export function callOf(limit: RouteRateLimit): Call {
  checkOptions("config", { "config.rateLimit": limit ?? null }, { "config.rateLimit": ruleFor(limit) });
  if (typeof limit === "function") return { kind: "plain", options: { limiter: limit } };
  return call in limit ? limit[call] : { kind: "plain", options: limit };
}
