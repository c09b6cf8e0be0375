import { type HeaderMode, headersRule } from "../decision/headers.ts";
import type { Duration, TimeSpan } from "../policy/duration.ts";
import type { LimitOptions, Policy } from "../policy/policy.ts";
import type { OutageMode } from "../resilience/outage-reporter.ts";
import { resilientRules } from "../resilience/resilient.ts";
import { Problems, type Rule, type Rules, rule } from "../validation.ts";
import { policySourceRules, readPolicySource } from "./limiter-options.ts";
import type { RateLimitConfig } from "./rate-limit-config.ts";
import { redisUrlRule } from "./redis-url.ts";

/** What a configuration is made of. The policy is `rate`, `period` and `burst`, or `limits`, or `policy`. */
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
   * Several limits, which are taken all or none.
   * @defaultValue the one limit of `rate`
   */
  limits?: readonly [LimitOptions, ...LimitOptions[]] | undefined;
  /**
   * How long a key stays refused after its first refusal, in seconds or with a unit (`"10m"`).
   * @defaultValue no block
   */
  block?: Duration | undefined;
  /**
   * A policy that `definePolicy` returned.
   * @defaultValue the one that the other options describe
   */
  policy?: Policy | undefined;
  /**
   * Names the limiter. Processes that share a backend mean the same bucket by the same name.
   * @defaultValue none
   */
  name?: string | undefined;
  /**
   * Says where Redis is: `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS.
   * @defaultValue none
   */
  redisUrl?: string | undefined;
  /**
   * Begins all keys in a shared store.
   * @defaultValue `"ratelimit:"`
   */
  keyPrefix?: string | undefined;
  /**
   * Says which header fields a middleware sends: a mode, or `"legacy"` and one draft.
   * @defaultValue `"legacy"`
   */
  headers?: HeaderMode | readonly HeaderMode[] | undefined;
  /**
   * `false` is `headers: "none"`.
   * @defaultValue true
   */
  includeHeaders?: boolean | undefined;
  /**
   * The longest that a decision waits for the backend, with its unit.
   * @defaultValue `"100ms"`
   */
  timeout?: TimeSpan | undefined;
  /**
   * What decides while the backend is out.
   * @defaultValue `"local"`
   */
  outage?: OutageMode | undefined;
  /**
   * How many processes share the limits, so that each admits its share while the backend is out.
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
 * Makes a configuration in code: 100 tokens per 60 s, unless `rate`, `period` (seconds, or a string with a unit) and `burst` (`rate`)
 * or `limits` say otherwise.
 *
 * @throws {RateLimitError} INVALID_CONFIG with every problem at once; a password is never shown.
 * @example
 * const config = defineConfig({ rate: 100, period: 60, burst: 150, keyPrefix: "myapp:" });
 * const limiter = new RateLimiter({ config, backend: new MemoryBackend() });
 */
export function defineConfig(options: ConfigOptions & { redisUrl: string }): RateLimitConfig & { readonly redisUrl: string };
export function defineConfig(options?: ConfigOptions): RateLimitConfig;
export function defineConfig(options: ConfigOptions = {}): RateLimitConfig {
  const problems = Problems.none().coded("INVALID_CONFIG");
  const config = readConfig(problems, options);
  problems.throwIfAny("INVALID_CONFIG");
  return config as RateLimitConfig;
}

/** Reads a configuration; what is wrong with it goes to `problems`. */
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

/** A copy of a list, which its caller may change later. */
function frozen(headers: HeaderMode | readonly HeaderMode[]): HeaderMode | readonly HeaderMode[] {
  return typeof headers === "string" ? headers : Object.freeze([...headers]);
}
