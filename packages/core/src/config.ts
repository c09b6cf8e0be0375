import { nearest, unknownName } from "./message.ts";
import type { LimitOptions, Policy } from "./policy.ts";
import { readPolicy } from "./policy.ts";
import { Problems, type Rule, type Rules, rule } from "./problems.ts";
import { redisUrlRule } from "./redis-url.ts";
import { warnOnce } from "./warn.ts";

/** A configuration, ready for `new RateLimiter({ config, backend })` and for `rateLimit({ config })`. */
export interface RateLimitConfig {
  readonly policy: Policy;
  /** That of the limiter, unless it has one of its own; `"default"`. */
  readonly name?: string;
  readonly keyPrefix: string;
  readonly headers: "legacy" | "none";
  readonly redisUrl?: string;
}

/** What a configuration is made of. */
export interface ConfigOptions extends Omit<LimitOptions, "rate"> {
  /** Tokens per period; 100. */
  rate?: number | undefined;
  /** Where Redis is: `redis://[user:password@]host[:port][/database]`, `rediss://` for TLS. */
  redisUrl?: string | undefined;
  /** What all keys in a shared store begin with; `"ratelimit:"`. */
  keyPrefix?: string | undefined;
  /** Whether answers carry `X-RateLimit-*` and `Retry-After`; true. */
  includeHeaders?: boolean | undefined;
}

const configRules: Rules = {
  ...Object.fromEntries(["rate", "period", "burst", "name"].map((option) => [option, rule.readElsewhere])),
  redisUrl: redisUrlRule,
  keyPrefix: rule.string,
  includeHeaders: rule.boolean,
};

/** A variable of the environment: the option it sets, and how its text is read (`undefined`: not at all). */
interface Variable extends Pick<Rule, "expects" | "wayOut" | "mask"> {
  readonly option: keyof ConfigOptions;
  readonly read: (text: string) => ConfigOptions[keyof ConfigOptions];
}

const wholeNumber: Pick<Variable, "expects" | "read"> = {
  expects: "a positive integer",
  read: (text) => (/^\d+$/.test(text) && Number(text) > 0 && Number.isSafeInteger(Number(text)) ? Number(text) : undefined),
};

const booleans: ReadonlyMap<string, boolean> = new Map([
  ["true", true],
  ["1", true],
  ["false", false],
  ["0", false],
]);

const variables: Readonly<Record<string, Variable>> = {
  RATELIMIT_RATE: { ...wholeNumber, option: "rate" },
  RATELIMIT_PERIOD: {
    option: "period",
    expects: "seconds, or a text such as 1m",
    read: (text) => (/^\d+(\.\d+)?$/.test(text) ? Number(text) : /^\d+(\.\d+)?(ms|s|m|h|d)$/.test(text) ? text : undefined),
  },
  RATELIMIT_BURST: { ...wholeNumber, option: "burst" },
  RATELIMIT_REDIS_URL: { ...redisUrlRule, option: "redisUrl", read: (text) => (redisUrlRule.accepts(text) ? text : undefined) },
  RATELIMIT_KEY_PREFIX: { option: "keyPrefix", expects: "a non-empty text", read: (text) => text || undefined },
  RATELIMIT_INCLUDE_HEADERS: {
    option: "includeHeaders",
    expects: "true, false, 1 or 0",
    read: (text) => booleans.get(text.toLowerCase()),
  },
};

/**
 * A configuration by code: 100 tokens per 60 s unless `rate`, `period` (seconds, or a text with a unit) and `burst` (`rate`) say otherwise.
 *
 * @throws {RateLimitError} INVALID_CONFIG that tells every problem at once; a password is never shown.
 * @example
 * const config = defineConfig({ rate: 100, period: 60, burst: 150, keyPrefix: "myapp:" });
 * const limiter = new RateLimiter({ config, backend: new MemoryBackend() });
 */
export function defineConfig(options: ConfigOptions = {}): RateLimitConfig {
  const problems = Problems.none();
  const config = readConfig(problems, options);
  problems.throwIfAny("INVALID_CONFIG");
  return config as RateLimitConfig;
}

/**
 * A configuration from RATELIMIT_RATE, _PERIOD, _BURST, _REDIS_URL, _KEY_PREFIX and _INCLUDE_HEADERS; `overrides` win.
 *
 * White space around a value is cut, nothing else is guessed. An unknown RATELIMIT_* is a warning, for another tool may own it.
 *
 * @throws {RateLimitError} INVALID_CONFIG that tells every bad variable at once, by name; a password is never shown.
 * @example
 * const config = configFromEnv(); // RATELIMIT_RATE=100 RATELIMIT_PERIOD=1m
 */
export function configFromEnv(env: Record<string, string | undefined> = process.env, overrides: ConfigOptions = {}): RateLimitConfig {
  const problems = Problems.none();
  for (const [what, given] of Object.entries({ env, overrides }))
    if (typeof given !== "object" || given === null) problems.add(what, "an object", given);
  problems.throwIfAny("INVALID_CONFIG");
  warnOfUnknown(env);
  const values: Partial<Record<keyof ConfigOptions, unknown>> = {};
  for (const [name, { option, read, ...rule }] of Object.entries(variables)) {
    const text = env[name];
    if (text === undefined) continue;
    values[option] = read(text.trim());
    if (values[option] === undefined)
      problems.break(name, { ...rule, wayOut: rule.wayOut ?? "correct it, or unset it for the default", accepts: () => false }, text);
  }
  const given = Object.fromEntries(Object.entries(overrides).filter(([, value]) => value !== undefined));
  const named = problems.named((option) => (option in given ? option : variableOf(option)));
  const config = readConfig(named, { ...values, ...given });
  problems.throwIfAny("INVALID_CONFIG");
  return config as RateLimitConfig;
}

function readConfig(problems: Problems, options: unknown): RateLimitConfig | undefined {
  if (!problems.checkOptions("config", options, configRules)) return undefined;
  const { rate = 100, period, burst, name, redisUrl, keyPrefix = "ratelimit:", includeHeaders = true } = options as ConfigOptions;
  const policy = readPolicy(problems, { rate, period, burst, name });
  const given = { ...(name !== undefined && { name }), ...(redisUrl !== undefined && { redisUrl }) };
  return policy && Object.freeze({ policy, keyPrefix, headers: includeHeaders ? "legacy" : "none", ...given });
}

function variableOf(option: string): string {
  return Object.entries(variables).find(([, variable]) => variable.option === option)?.[0] ?? option;
}

function warnOfUnknown(env: Record<string, string | undefined>): void {
  const known = Object.keys(variables);
  for (const name of Object.keys(env))
    if (name.startsWith("RATELIMIT_") && !known.includes(name))
      warnOnce("RATELIMIT_UNKNOWN_VARIABLE", unknownName("variable", name, nearest(name, known), known), name);
}
