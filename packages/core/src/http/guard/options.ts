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

/** What a middleware limits, whom, and how it tells. The policy stands in `limiter`, in `policy`, in `config`, or right here. */
export interface RateLimitOptions<Req, Framework extends unknown[] = []> {
  /** The limiter, or a function that picks one for a request (a plan); where it returns `undefined` the request is not limited. */
  limiter?: RateLimiter | ((req: Req) => Awaitable<RateLimiter | undefined>) | undefined;
  /** Tokens per period. */
  rate?: number | undefined;
  /** Seconds, or a text with a unit; 60. */
  period?: Duration | undefined;
  /** Tokens in a full bucket; `rate`. */
  burst?: number | undefined;
  /**
   * How long a key stays refused after its first refusal: seconds, or a string with a unit (`"10m"`). Later refusals do not prolong it.
   * @defaultValue no block
   */
  block?: Duration | undefined;
  /** Several limits, taken all or none. */
  limits?: readonly [LimitOptions, ...LimitOptions[]] | undefined;
  /** A policy that `definePolicy` returned. */
  policy?: Policy | undefined;
  /** A configuration that `defineConfig` or `configFromEnv` returned: its policy, name, key prefix and header mode. */
  config?: RateLimitConfig | undefined;
  /** Says which bucket is meant. It is required if processes share the `backend`, unless `config` has a name. */
  name?: string | undefined;
  /**
   * Takes the name over from a live limiter that has another policy, as after a hot reload.
   * @defaultValue false: another policy under the same name is an error
   */
  replace?: boolean | undefined;
  /**
   * Keeps the buckets.
   * @defaultValue the in-process backend of the process
   */
  backend?: Backend | undefined;
  /**
   * Begins all keys in a shared store.
   * @defaultValue that of `config`, or `"ratelimit:"`
   */
  keyPrefix?: string | undefined;
  /** Whose bucket: text, number or bigint; the client's address where it returns `null` or `undefined`. */
  key?: KeyOf<Req> | undefined;
  /** Tokens that a request costs: a non-negative integer, or a function of the request; 1. */
  cost?: number | ((req: Req) => number | Promise<number>) | undefined;
  /** Paths that are not limited, each exactly as it is requested, without query: `["/health"]`. */
  excludePaths?: readonly string[] | undefined;
  /** Requests that are not limited. */
  skip?: ((req: Req) => Awaitable<boolean>) | undefined;
  /** Whether CORS preflights pass without a token; false. */
  skipPreflight?: boolean | undefined;
  /** Which header fields tell of the limits; `"legacy"`. */
  headers?: HeaderMode | readonly HeaderMode[] | undefined;
  /** Whether scripts of other origins may read them (`Access-Control-Expose-Headers`); false. */
  exposeHeaders?: boolean | undefined;
  /** Which proxies are believed when they name the client; the framework's own setting. */
  trust?: Trust | undefined;
  /** Bits of an IPv6 address that are one client; 64. */
  ipv6Prefix?: number | undefined;
  /** Turns stored keys into HMACs, so that no address and no user id lies in the store: a text or bytes, 16 at the least. */
  keySecret?: string | Buffer | undefined;
  /** Asked after the response, with the status that was sent, or 499 if the client hung up first: true gives back what the request cost, a number so many tokens. */
  refund?: ((req: Req, status: number) => Awaitable<boolean | number>) | undefined;
  /** Decides and reports, but never refuses and sends no headers; false. */
  shadow?: boolean | undefined;
  /** Writes the refusal in place of the problem details; its headers are set. */
  onLimited?: ((result: RateLimitResult, req: Req, ...framework: Framework) => unknown) | undefined;
}

/** The same by user; in place of `key` there is `user`. */
export interface LimitByUserOptions<Req, Framework extends unknown[] = []> extends Omit<RateLimitOptions<Req, Framework>, "key"> {
  /** Whose bucket: an id, or an object that has one as `id` or `sub`; the framework's authenticated user. */
  user?: ((req: Req) => Awaitable<unknown>) | undefined;
  /** What becomes of a request without a user: limited by its address, not limited, or refused; `"address"`. */
  anonymous?: Anonymous | undefined;
}

/** The same by API key, of which only a digest is stored. A key that nobody checks is whatever a client types: a new one is a new bucket. */
export interface LimitByApiKeyOptions<Req, Framework extends unknown[] = []> extends Omit<RateLimitOptions<Req, Framework>, "key"> {
  /** The field that carries the key; `"X-API-Key"`. */
  header?: string | undefined;
  /** Whether a key is one of yours. */
  valid?: ((key: string, req: Req) => Awaitable<boolean>) | undefined;
  /** What becomes of a request without a valid key: limited by its address, not limited, or refused; `"address"`. */
  anonymous?: Anonymous | undefined;
}

/** The options that all three guards read. */
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
  skip: { ...rule.function, hint: "write skip: (req) => true if it is not to be limited" },
  skipPreflight: { ...rule.boolean, hint: "write skipPreflight: true to let CORS preflights pass" },
  headers: headersRule,
  exposeHeaders: { ...rule.boolean, hint: "write exposeHeaders: true to let scripts of other origins read the headers" },
  trust: trustRule,
  ipv6Prefix: ipv6PrefixRule,
  keySecret: {
    expects: "a secret of at least 16 characters or bytes",
    accepts: (value) => (typeof value === "string" || Buffer.isBuffer(value)) && value.length >= 16,
    mask: (value) => (typeof value === "string" || Buffer.isBuffer(value) ? "…" : value),
    hint: "make one with crypto.randomBytes(32) and keep it with your other secrets",
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

/** What each guard takes. */
export const guardRules: Readonly<Record<"plain" | "user" | "apiKey", Rules>> = {
  plain: { ...sharedRules, key: { ...rule.function, hint: "write key: (req) => a string that says whose request it is" } },
  user: {
    ...sharedRules,
    user: { ...rule.function, hint: "write user: (req) => an id of the user, or undefined" },
    anonymous: anonymousRule,
  },
  apiKey: {
    ...sharedRules,
    header: {
      expects: "a header's name",
      accepts: (value) => typeof value === "string" && /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(value),
      hint: 'write header: "x-api-key"',
    },
    valid: { ...rule.function, hint: "write valid: (key) => whether it is one of yours" },
    anonymous: anonymousRule,
  },
};

export function isLimiter(value: unknown): value is RateLimiter {
  return value instanceof RateLimiter || typeof (value as Partial<RateLimiter> | null | undefined)?.decide === "function";
}
