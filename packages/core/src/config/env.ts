import { unknownNames } from "../messages.ts";
import { Problems, plainOptions, type Rule } from "../validation.ts";
import { warnOnce } from "../warnings.ts";
import { type ConfigOptions, configRules, readConfig } from "./config.ts";
import type { RateLimitConfig } from "./rate-limit-config.ts";

type Option = keyof ConfigOptions;

/** An environment variable: the option it sets, and how its value is parsed. `read` returns `undefined` for an invalid value. */
interface Variable extends Pick<Rule, "expects" | "hint" | "mask"> {
  readonly option: Option;
  readonly read: (text: string) => unknown;
}

/** A whole number of at least `least`. */
function wholeNumber(least: 0 | 1): Pick<Variable, "expects" | "read"> {
  return {
    expects: "a positive integer",
    read: (text) => (/^\d+$/.test(text) && Number(text) >= least && Number.isSafeInteger(Number(text)) ? Number(text) : undefined),
  };
}

const duration: Pick<Variable, "expects" | "read"> = {
  expects: "seconds, or a string such as 1m",
  read: (text) => (/^\d+(\.\d+)?$/.test(text) ? Number(text) : /^\d+(\.\d+)?(ms|s|m|h|d)$/.test(text) ? text : undefined),
};

const booleans: ReadonlyMap<string, boolean> = new Map([
  ["true", true],
  ["1", true],
  ["false", false],
  ["0", false],
]);

/** A variable whose value goes to the option as it is, and is checked by the option's rule. */
function asWritten(option: Option, hint?: string): Variable {
  const rule = configRules[option] as Rule;
  return { ...rule, ...(hint !== undefined && { hint }), option, read: (text) => (rule.accepts(text) ? text : undefined) };
}

const variables: Readonly<Record<string, Variable>> = {
  RATELIMIT_RATE: { ...wholeNumber(0), option: "rate" },
  RATELIMIT_PERIOD: { ...duration, option: "period" },
  RATELIMIT_BURST: { ...wholeNumber(1), option: "burst" },
  RATELIMIT_BLOCK: { ...duration, option: "block" },
  RATELIMIT_LEASE: asWritten("lease", "write 50ms: a lease needs a unit"),
  RATELIMIT_REDIS_URL: asWritten("redisUrl"),
  RATELIMIT_KEY_PREFIX: { option: "keyPrefix", expects: "a non-empty string", read: (text) => text || undefined },
  RATELIMIT_HEADERS: {
    ...asWritten("headers", "write draft-8, or legacy,draft-8 for both"),
    read: (text) => {
      const modes = text.split(",").map((mode) => mode.trim());
      return configRules["headers"]?.accepts(modes) ? (modes.length === 1 ? modes[0] : modes) : undefined;
    },
  },
  RATELIMIT_INCLUDE_HEADERS: {
    option: "includeHeaders",
    expects: "true, false, 1 or 0",
    read: (text) => booleans.get(text.toLowerCase()),
  },
  RATELIMIT_TIMEOUT: asWritten("timeout", "write 100ms: a timeout needs a unit"),
  RATELIMIT_OUTAGE: asWritten("outage", "write one of them without quotes"),
  RATELIMIT_INSTANCES: { ...wholeNumber(1), option: "instances" },
};

/** For each option in `overrides`, the options whose variables it makes irrelevant. */
const replaced: Readonly<Record<string, readonly Option[]>> = {
  limits: ["rate", "period", "burst"],
  policy: ["rate", "period", "burst", "block", "lease"],
  blockMs: ["block"],
  leaseMs: ["lease"],
  headers: ["includeHeaders"],
  includeHeaders: ["headers"],
};

/**
 * Builds a configuration from `RATELIMIT_*` environment variables, one for each option that fits into a string.
 * `overrides` take precedence.
 *
 * White space around a value is trimmed; otherwise parsing is strict. An unknown `RATELIMIT_*` variable only causes a warning, because it
 * may belong to another tool.
 *
 * @throws {RateLimitError} INVALID_CONFIG, which lists every invalid variable by name and never shows a password.
 * @example
 * const config = configFromEnv(); // RATELIMIT_RATE=100 RATELIMIT_PERIOD=1m
 */
export function configFromEnv(env: Record<string, string | undefined> = process.env, overrides: ConfigOptions = {}): RateLimitConfig {
  const problems = Problems.none().coded("INVALID_CONFIG");
  for (const [what, given] of Object.entries({ env, overrides }))
    if (typeof given !== "object" || given === null) problems.add(what, "an object", given, "leave it out for the default");
  problems.throwIfAny("INVALID_CONFIG");
  warnOfUnknown(env);
  const own = plainOptions(overrides, configRules);
  const values = valuesIn(env, problems);
  for (const option of Object.keys(own)) for (const other of replaced[option] ?? []) delete values[other];
  const named = problems.named((option) => (option in own ? option : variableOf(option)));
  const config = readConfig(named, { ...values, ...own });
  problems.throwIfAny("INVALID_CONFIG");
  return config as RateLimitConfig;
}

function valuesIn(env: Record<string, string | undefined>, problems: Problems): Partial<Record<Option, unknown>> {
  const values: Partial<Record<Option, unknown>> = {};
  for (const [name, { option, read, ...rule }] of Object.entries(variables)) {
    const text = env[name];
    if (text === undefined) continue;
    values[option] = read(text.trim());
    if (values[option] === undefined)
      problems.break(name, { ...rule, hint: rule.hint ?? "correct it, or unset it for the default", accepts: () => false }, text);
  }
  return values;
}

function variableOf(option: string): string {
  return Object.entries(variables).find(([, variable]) => variable.option === option)?.[0] ?? option;
}

function warnOfUnknown(env: Record<string, string | undefined>): void {
  const known = Object.keys(variables);
  for (const name of Object.keys(env)) {
    if (!name.startsWith("RATELIMIT_") || known.includes(name)) continue;
    for (const sentence of unknownNames("variable", [name], known)) warnOnce("RATELIMIT_UNKNOWN_VARIABLE", sentence, name);
  }
}
