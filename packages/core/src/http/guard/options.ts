import type { Awaitable, Backend } from "../../backend/backend.ts";
import { limiterRules } from "../../config/limiter-options.ts";
import type { RateLimitConfig } from "../../config/rate-limit-config.ts";
import { type HeaderMode, headersRule } from "../../decision/headers.ts";
import type { RateLimitResult } from "../../decision/result.ts";
import { RateLimiter } from "../../limiter/rate-limiter.ts";
import type { Duration } from "../../policy/duration.ts";
import type { LimitOptions, Policy } from "../../policy/policy.ts";
import { type Rule, type Rules, rule } from "../../validation.ts";
import { ipv6PrefixRule, type Trust, trustRule } from "../request/client-ip.ts";
import type { Anonymous, KeyOf } from "../request/identity.ts";
import { excludePathsRule } from "../request/paths.ts";

/**
 * Configures a rate-limiting middleware.
 *
 * Give the policy in exactly one way: `limiter`, `policy`, `config`, `limits`, or `rate` with `period` and `burst`.
 */
export interface RateLimitOptions<Req, Framework extends unknown[] = []> {
  /** The limiter, or a function that picks one per request (for example by plan). If it returns `undefined`, the request is not limited. */
  limiter?: RateLimiter | ((req: Req) => Awaitable<RateLimiter | undefined>) | undefined;
  /** Tokens added per period: a positive integer, or 0 to refuse everything. */
  rate?: number | undefined;
  /**
   * The period of `rate`: seconds, or a string with a unit (`"1m"`).
   * @defaultValue `60`
   */
  period?: Duration | undefined;
  /**
   * Tokens in a full bucket.
   * @defaultValue `rate`
   */
  burst?: number | undefined;
  /**
   * How long a key stays refused after its first refusal: seconds, or a string with a unit (`"10m"`). Later refusals do not extend it.
   * @defaultValue no block
   */
  block?: Duration | undefined;
  /** Several limits. A request takes tokens from all of them or, if one refuses, from none. */
  limits?: readonly [LimitOptions, ...LimitOptions[]] | undefined;
  /** A policy from `definePolicy`. */
  policy?: Policy | undefined;
  /** A configuration from `defineConfig` or `configFromEnv`: its policy, plus its name, key prefix and header mode unless given here. */
  config?: RateLimitConfig | undefined;
  /**
   * Identifies the limiter's buckets. Required if processes share the `backend`.
   * @defaultValue the name in `config`
   */
  name?: string | undefined;
  /**
   * Takes over `name` from a live limiter that has a different policy, as after a hot reload. Otherwise that is an error.
   * @defaultValue `false`
   */
  replace?: boolean | undefined;
  /**
   * Stores the buckets.
   * @defaultValue an in-memory backend that the whole process shares
   */
  backend?: Backend | undefined;
  /**
   * The prefix of every key in a shared store.
   * @defaultValue the prefix in `config`, or `"ratelimit:"`
   */
  keyPrefix?: string | undefined;
  /**
   * Returns the key whose bucket a request takes from. `null` and `undefined` mean the client's address.
   * @defaultValue the client's address
   */
  key?: KeyOf<Req> | undefined;
  /**
   * Tokens that a request costs: a non-negative integer, or a function of the request.
   * @defaultValue `1`
   */
  cost?: number | ((req: Req) => number | Promise<number>) | undefined;
  /** Paths that are not limited, such as `["/health"]`. Each must match the requested path exactly; the query is ignored. */
  excludePaths?: readonly string[] | undefined;
  /** Returns `true` for requests that are not limited. */
  skip?: ((req: Req) => Awaitable<boolean>) | undefined;
  /**
   * Whether CORS preflights pass without taking a token.
   * @defaultValue `false`
   */
  skipPreflight?: boolean | undefined;
  /**
   * Which rate-limit headers are sent: a mode, or several modes.
   * @defaultValue the modes in `config`, or `"legacy"`
   */
  headers?: HeaderMode | readonly HeaderMode[] | undefined;
  /**
   * Whether scripts from other origins may read the headers (`Access-Control-Expose-Headers`).
   * @defaultValue `false`
   */
  exposeHeaders?: boolean | undefined;
  /**
   * Which proxies are trusted to name the client's address.
   * @defaultValue the framework's own setting
   */
  trust?: Trust | undefined;
  /**
   * Prefix length, in bits, of the IPv6 network that counts as one client.
   * @defaultValue `64`
   */
  ipv6Prefix?: number | undefined;
  /** Secret of at least 16 characters or bytes that turns stored keys into HMACs, so the store holds no addresses and no user ids. */
  keySecret?: string | Buffer | undefined;
  /**
   * Called after the response with the status that was sent, or 499 if the client hung up first.
   * Returning `true` gives back what the request cost; a number gives back that many tokens.
   */
  refund?: ((req: Req, status: number) => Awaitable<boolean | number>) | undefined;
  /**
   * Makes and reports decisions, but refuses no requests and sends no headers.
   * @defaultValue `false`
   */
  shadow?: boolean | undefined;
  /** Writes the response to a refused request instead of the problem details. Its status and headers are already set. */
  onLimited?: ((result: RateLimitResult, req: Req, ...framework: Framework) => unknown) | undefined;
}

/** Configures a middleware that limits by user: {@link RateLimitOptions} with `user` instead of `key`. */
export interface LimitByUserOptions<Req, Framework extends unknown[] = []> extends Omit<RateLimitOptions<Req, Framework>, "key"> {
  /**
   * Returns the user whose bucket a request takes from: an id, or an object with an `id` or `sub`.
   * @defaultValue the user that the framework's authentication found
   */
  user?: ((req: Req) => Awaitable<unknown>) | undefined;
  /**
   * What happens to a request without a user: limited by its address, not limited (`"skip"`), or refused.
   * @defaultValue `"address"`, with a warning
   */
  anonymous?: Anonymous | undefined;
}

/**
 * Configures a middleware that limits by API key: {@link RateLimitOptions} with `header` and `valid` instead of `key`.
 *
 * Only a digest of the key is stored. Without `valid`, a client gets a fresh bucket for every key it makes up.
 */
export interface LimitByApiKeyOptions<Req, Framework extends unknown[] = []> extends Omit<RateLimitOptions<Req, Framework>, "key"> {
  /**
   * The header that carries the key.
   * @defaultValue `"X-API-Key"`
   */
  header?: string | undefined;
  /**
   * Returns whether a key is valid.
   * @defaultValue every key is accepted
   */
  valid?: ((key: string, req: Req) => Awaitable<boolean>) | undefined;
  /**
   * What happens to a request without a valid key: limited by its address, not limited (`"skip"`), or refused.
   * @defaultValue `"address"`
   */
  anonymous?: Anonymous | undefined;
}

/** The options that all three guards share. */
export type GuardOptions<Req> = Omit<RateLimitOptions<Req, never[]>, "key" | "onLimited"> & { readonly onLimited?: unknown };

const sharedRules: Rules = {
  limiter: {
    expects: "a RateLimiter or a function that returns one",
    accepts: (value) => typeof value === "function" || isLimiter(value),
    hint: "write limiter: new RateLimiter({ rate: 100, backend: new MemoryBackend() })",
  },
  ...limiterRules,
  cost: {
    expects: "a non-negative safe integer or a function",
    accepts: (value) => typeof value === "function" || (Number.isSafeInteger(value) && (value as number) >= 0),
    hint: "leave it out for 1",
  },
  excludePaths: excludePathsRule,
  skip: { ...rule.function, hint: "write skip: (req) => true for requests that must not be limited" },
  skipPreflight: { ...rule.boolean, hint: "write skipPreflight: true to let CORS preflights pass" },
  headers: headersRule,
  exposeHeaders: { ...rule.boolean, hint: "write exposeHeaders: true to let scripts from other origins read the headers" },
  trust: trustRule,
  ipv6Prefix: ipv6PrefixRule,
  keySecret: {
    expects: "a secret of at least 16 characters or bytes",
    accepts: (value) => (typeof value === "string" || Buffer.isBuffer(value)) && value.length >= 16,
    mask: (value) => (typeof value === "string" || Buffer.isBuffer(value) ? "…" : value),
    hint: "generate one with crypto.randomBytes(32) and keep it with your other secrets",
  },
  refund: { ...rule.function, hint: "write refund: (req, status) => status < 400" },
  shadow: { ...rule.boolean, hint: "write shadow: true to decide without refusing" },
  onLimited: { ...rule.function, hint: "write onLimited: (result, req) => …" },
};

const anonymousRule: Rule = {
  expects: '"address", "skip" or "refuse"',
  accepts: (value) => value === "address" || value === "skip" || value === "refuse",
  hint: 'leave it out for "address"',
};

/** Validates the options of each guard. */
export const guardRules: Readonly<Record<"plain" | "user" | "apiKey", Rules>> = {
  plain: { ...sharedRules, key: { ...rule.function, hint: "write key: (req) => a string that identifies the client" } },
  user: {
    ...sharedRules,
    user: { ...rule.function, hint: "write user: (req) => the user's id, or undefined" },
    anonymous: anonymousRule,
  },
  apiKey: {
    ...sharedRules,
    header: {
      expects: "a header's name",
      accepts: (value) => typeof value === "string" && /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(value),
      hint: 'write header: "x-api-key"',
    },
    valid: { ...rule.function, hint: "write valid: (key) => true if the key is one of yours" },
    anonymous: anonymousRule,
  },
};

export function isLimiter(value: unknown): value is RateLimiter {
  return value instanceof RateLimiter || typeof (value as Partial<RateLimiter> | null | undefined)?.decide === "function";
}
