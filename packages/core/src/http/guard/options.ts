import type { Awaitable, Backend } from "../../backend/backend.ts";
import { limiterRules } from "../../config/limiter-options.ts";
import type { RateLimitConfig } from "../../config/rate-limit-config.ts";
import { type HeaderMode, headersRule } from "../../decision/headers.ts";
import { RateLimiter } from "../../limiter/rate-limiter.ts";
import type { Duration, TimeSpan } from "../../policy/duration.ts";
import type { LimitOptions, Policy, PolicyOptions } from "../../policy/policy.ts";
import { type Rule, type Rules, rule } from "../../validation.ts";
import { ipv6PrefixRule, networksRule, type Trust, trustRule } from "../request/client-ip.ts";
import type { Anonymous, KeyOf } from "../request/identity.ts";
import { excludePathsRule } from "../request/paths.ts";
import type { RequestRateLimit } from "../response/decisions.ts";
import type { Refund } from "../response/refund.ts";

/** Returns the limiter of a request, or its policy, or `undefined` if the request is not limited. */
export type LimiterOf<Req> = (req: Req) => Awaitable<RateLimiter | Policy | PolicyOptions | undefined>;

/**
 * Configures a rate-limiting middleware.
 *
 * Give the policy in exactly one way: `limiter`, `policy`, `config`, `limits`, or `rate` with `period` and `burst`.
 */
export interface RateLimitOptions<Req, Framework extends unknown[] = []> {
  /**
   * The limiter, or a function that returns one per request (for example by plan), or a policy such as `{ rate: 10, period: "1m" }` that
   * depends on the request. If it returns `undefined`, the request is not limited.
   */
  limiter?: RateLimiter | LimiterOf<Req> | undefined;
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
  /**
   * How far ahead a process takes tokens of a busy key from a shared backend, with its unit (`"50ms"`), so that it can decide most requests
   * by itself.
   * @defaultValue no lease
   */
  lease?: TimeSpan | undefined;
  /** Several limits. A request takes tokens from all of them or, if one refuses, from none. */
  limits?: readonly LimitOptions[] | undefined;
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
   * Returns the key whose bucket a request takes from. `null`, `undefined` and `""` mean the client's address.
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
  /** Returns `true` for requests that are not limited, `false` for all others. */
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
   * Returns the client's address if a header of your platform carries it (`CF-Connecting-IP`, `Fly-Client-IP`). It is treated like any
   * address: an IPv6 client is its network. `undefined`, `null` and `""` mean the address that `trust` or the framework finds.
   * @defaultValue the address that `trust` or the framework finds
   */
  ip?: ((req: Req) => string | null | undefined) | undefined;
  /**
   * Addresses and networks (`"10.0.0.0/8"`) that are not limited.
   * @defaultValue none
   */
  allow?: readonly string[] | undefined;
  /**
   * Addresses and networks that get a 403 before anything is charged, even if `allow` has them too.
   * @defaultValue none
   */
  deny?: readonly string[] | undefined;
  /**
   * Prefix length, in bits, of the IPv6 network that counts as one client.
   * @defaultValue `64`
   */
  ipv6Prefix?: number | undefined;
  /** Secret of at least 16 characters or bytes that turns stored keys into HMACs, so the store holds no addresses and no user ids. */
  keySecret?: string | Uint8Array | undefined;
  /**
   * Called after the response with the status that was sent. Returning `true` gives back what the request cost; a number gives back that
   * many tokens.
   */
  refund?: Refund<Req> | undefined;
  /**
   * Whether `refund` is also called, with status 499, if the client hung up before the response was sent completely. A client could then
   * get its tokens back by hanging up.
   * @defaultValue `false`
   */
  refundAborted?: boolean | undefined;
  /**
   * Makes and reports decisions, but refuses no requests and sends no headers.
   * @defaultValue `false`
   */
  shadow?: boolean | undefined;
  /**
   * Called for every refused request, with the status and headers already set. It may answer, by sending a response or returning a body,
   * or only observe: if nothing was sent once it has returned (or its promise has settled), the problem details are sent.
   */
  onLimited?: ((result: RequestRateLimit, req: Req, ...framework: Framework) => unknown) | undefined;
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
    expects: "a RateLimiter, or a function that returns one or a policy",
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
  ip: { ...rule.function, hint: 'write ip: (req) => req.headers["cf-connecting-ip"]?.toString()' },
  allow: networksRule,
  deny: networksRule,
  ipv6Prefix: ipv6PrefixRule,
  keySecret: {
    expects: "a secret of at least 16 characters or bytes",
    accepts: (value) => isSecret(value) && value.length >= 16,
    // Whatever was passed may be a secret, or a list of secrets. Only what kind of value it is may be shown.
    mask: (value) => (Array.isArray(value) ? [undefined] : typeof value === "object" && !isSecret(value) ? value : "…"),
    hint: "generate one with crypto.randomBytes(32) and keep it with your other secrets",
  },
  refund: { ...rule.function, hint: "write refund: (req, status) => status < 400" },
  refundAborted: { ...rule.boolean, hint: "write refundAborted: true to refund clients that hang up" },
  shadow: { ...rule.boolean, hint: "write shadow: true to decide without refusing" },
  onLimited: { ...rule.function, hint: "write onLimited: (result, req) => …" },
};

function isSecret(value: unknown): value is string | Uint8Array {
  return typeof value === "string" || value instanceof Uint8Array;
}

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
