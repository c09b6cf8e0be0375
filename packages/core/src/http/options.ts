import type { Awaitable, Backend } from "../backend.ts";
import type { RateLimitConfig } from "../config.ts";
import type { Duration } from "../duration.ts";
import { type HeaderMode, headerFields } from "../headers.ts";
import { limiterRules, RateLimiter } from "../limiter.ts";
import type { LimitOptions } from "../policy.ts";
import { type Rule, type Rules, rule } from "../problems.ts";
import type { RateLimitResult } from "../result.ts";
import { ipv6PrefixRule, type Trust, trustRule } from "./client-ip.ts";
import type { Anonymous, KeyOf } from "./identity.ts";
import { excludePathsRule } from "./paths.ts";

/** What a middleware limits, whom, and how it tells. The policy stands in `limiter`, in `config`, or right here. */
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
  config?: RateLimitConfig | undefined;
  /** Which bucket; needed where `backend` is shared by processes. */
  name?: string | undefined;
  /** Where the buckets are kept; in this process. */
  backend?: Backend | undefined;
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

const modes = Object.keys(headerFields);

const sharedRules: Rules = {
  limiter: {
    expects: "a RateLimiter or a function that returns one",
    accepts: (value) => typeof value === "function" || isLimiter(value),
    wayOut: "write limiter: new RateLimiter({ rate: 100, backend: new MemoryBackend() })",
  },
  ...limiterRules,
  cost: {
    expects: "a non-negative safe integer or a function",
    accepts: (value) => typeof value === "function" || (Number.isSafeInteger(value) && (value as number) >= 0),
    wayOut: "leave it out for 1",
  },
  excludePaths: excludePathsRule,
  skip: rule.function,
  skipPreflight: rule.boolean,
  headers: {
    expects: `one of ${modes.join(", ")}, or "legacy" and one draft, whose fields would replace those of another`,
    accepts: (value) => {
      const given = [value].flat();
      const drafts = given.filter((mode) => typeof mode === "string" && mode.startsWith("draft"));
      return given.length > 0 && drafts.length <= 1 && given.every((mode) => typeof mode === "string" && modes.includes(mode));
    },
    wayOut: 'write headers: "draft-8", or ["legacy", "draft-8"] for both',
  },
  exposeHeaders: rule.boolean,
  trust: trustRule,
  ipv6Prefix: ipv6PrefixRule,
  keySecret: {
    expects: "a secret of at least 16 characters or bytes",
    accepts: (value) => (typeof value === "string" || Buffer.isBuffer(value)) && value.length >= 16,
    mask: (value) => (typeof value === "string" || Buffer.isBuffer(value) ? "…" : value),
    wayOut: "make one with crypto.randomBytes(32) and keep it with your other secrets",
  },
  refund: rule.function,
  shadow: rule.boolean,
  onLimited: rule.function,
};

const anonymousRule: Rule = {
  expects: '"address", "skip" or "refuse"',
  accepts: (value) => value === "address" || value === "skip" || value === "refuse",
};

/** What each guard takes. */
export const guardRules: Readonly<Record<"plain" | "user" | "apiKey", Rules>> = {
  plain: { ...sharedRules, key: rule.function },
  user: { ...sharedRules, user: rule.function, anonymous: anonymousRule },
  apiKey: {
    ...sharedRules,
    header: { expects: "a header's name", accepts: (value) => typeof value === "string" && /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(value) },
    valid: rule.function,
    anonymous: anonymousRule,
  },
};

export function isLimiter(value: unknown): value is RateLimiter {
  return value instanceof RateLimiter || typeof (value as Partial<RateLimiter> | null | undefined)?.decide === "function";
}
