import { type HeaderMode, headersRule } from "../decision/headers.ts";
import { peerOptionHint } from "../peer-options.ts";
import type { Duration, TimeSpan } from "../policy/duration.ts";
import type { LimitOptions, Policy } from "../policy/policy.ts";
import type { OutageMode } from "../resilience/outage-reporter.ts";
import { resilientRules } from "../resilience/resilient-options.ts";
import { Problems, type Rule, type Rules, rule } from "../validation.ts";
import { policySourceRules, readPolicySource } from "./limiter-options.ts";
import type { RateLimitConfig } from "./rate-limit-config.ts";
import { redisUrlRule } from "./redis-url.ts";

/** Options of `defineConfig`. Give the policy as `rate`, `period` and `burst`, as `limits`, or as `policy`. */
export interface ConfigOptions {
  /**
   * Tokens per period: a positive integer, or 0 to refuse everything.
   * @defaultValue 100
   */
  rate?: number | undefined;
  /**
   * The period in seconds, or with a unit (`"1m"`).
   * @defaultValue 60
   */
  period?: Duration | undefined;
  /**
   * Tokens in a full bucket.
   * @defaultValue `rate`
   */
  burst?: number | undefined;
  /**
   * Several limits. A call takes tokens from all of them, or from none.
   * @defaultValue one limit, from `rate`, `period` and `burst`
   */
  limits?: readonly LimitOptions[] | undefined;
  /**
   * Blocks a key for this long after its first refusal, in seconds or with a unit (`"10m"`).
   * @defaultValue no block
   */
  block?: Duration | undefined;
  /**
   * How far ahead a process takes tokens of a busy key from a shared backend, with its unit (`"50ms"`).
   * @defaultValue no lease
   */
  lease?: TimeSpan | undefined;
  /**
   * A policy from `definePolicy`.
   * @defaultValue the policy that the other options describe
   */
  policy?: Policy | undefined;
  /**
   * Names the limiter. Processes that share a backend share the buckets of limiters with the same name.
   * @defaultValue none
   */
  name?: string | undefined;
  /**
   * The address of Redis: `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS.
   * @defaultValue none
   */
  redisUrl?: string | undefined;
  /**
   * The prefix of all keys in a shared store.
   * @defaultValue `"ratelimit:"`
   */
  keyPrefix?: string | undefined;
  /**
   * Selects the header fields that a middleware sends: one mode, or `"legacy"` with one draft.
   * @defaultValue `"legacy"`
   */
  headers?: HeaderMode | readonly HeaderMode[] | undefined;
  /**
   * Whether a middleware sends header fields. `false` means `headers: "none"`.
   * @defaultValue true
   */
  includeHeaders?: boolean | undefined;
  /**
   * The longest that a decision may wait for the backend, with its unit.
   * @defaultValue `"100ms"`
   */
  timeout?: TimeSpan | undefined;
  /**
   * How calls are decided while the backend is out.
   * @defaultValue `"local"`
   */
  outage?: OutageMode | undefined;
  /**
   * The number of processes that share the limits. While the backend is out, each admits its part of them.
   * @defaultValue 1
   */
  instances?: number | undefined;
}

const { config: _, ...ownSources } = policySourceRules;

/** The options of a configuration. */
export const configRules: Rules = {
  ...ownSources,
  name: { ...rule.string, hint: 'write name: "api"' },
  redisUrl: redisUrlRule,
  keyPrefix: { ...rule.string, hint: 'write keyPrefix: "myapp:"' },
  headers: headersRule,
  includeHeaders: { ...rule.boolean, hint: "write includeHeaders: false to send none" },
  ...Object.fromEntries(["timeout", "outage", "instances"].map((option) => [option, resilientRules[option] as Rule])),
};

/**
 * Builds a configuration from options. By default it admits 100 tokens per 60 seconds, from a bucket of `rate` tokens.
 *
 * @throws {RateLimitError} INVALID_CONFIG, which lists every problem and never shows a password.
 * @example
 * const config = defineConfig({ rate: 100, period: 60, burst: 150, keyPrefix: "myapp:" });
 * const limiter = new RateLimiter({ config, backend: new MemoryBackend() });
 */
export function defineConfig(options: ConfigOptions & { redisUrl: string }): RateLimitConfig & { readonly redisUrl: string };
export function defineConfig(options?: ConfigOptions): RateLimitConfig;
export function defineConfig(options: ConfigOptions = {}): RateLimitConfig {
  const problems = Problems.none(peerOptionHint).coded("INVALID_CONFIG");
  const config = readConfig(problems, options);
  problems.throwIfAny("INVALID_CONFIG");
  return config as RateLimitConfig;
}

/** Reads a configuration. Adds whatever is wrong with it to `problems`. */
export function readConfig(problems: Problems, options: unknown): RateLimitConfig | undefined {
  const given = problems.read("config", options, configRules);
  if (given === undefined) return undefined;
  const { name, keyPrefix = "ratelimit:", includeHeaders = true, headers, redisUrl, timeout, outage, instances } = given as ConfigOptions;
  if (headers !== undefined && given["includeHeaders"] === isNone(headers))
    problems.add("includeHeaders", "in agreement with the header modes", includeHeaders, 'leave it out; headers: "none" sends none');
  const hasRate = "limits" in given || "policy" in given;
  const policy = readPolicySource(problems, hasRate ? given : { rate: 100, ...given }, name);
  const modes = headers ?? (includeHeaders ? "legacy" : "none");
  const others = Object.entries({ name, redisUrl, timeout, outage, instances }).filter(([, value]) => value !== undefined);
  return policy && Object.freeze({ policy, keyPrefix, headers: frozen(modes), ...Object.fromEntries(others) });
}

function isNone(headers: HeaderMode | readonly HeaderMode[]): boolean {
  return [headers].flat().every((mode) => mode === "none");
}

/** Copies a list before freezing it, because the caller may still change the original. */
function frozen(headers: HeaderMode | readonly HeaderMode[]): HeaderMode | readonly HeaderMode[] {
  return typeof headers === "string" ? headers : Object.freeze([...headers]);
}
