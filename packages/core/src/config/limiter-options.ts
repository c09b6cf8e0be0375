import type { Backend } from "../backend/backend.ts";
import { missingMethods } from "../backend/backend.ts";
import { isPolicy, type Policy, type PolicyOptions, readPolicy } from "../policy/policy.ts";
import { defaultName, isLimitName, policyOptions, policyRules } from "../policy/policy-rules.ts";
import { type Options, type Problems, type Rules, rule } from "../validation.ts";
import type { RateLimitConfig } from "./rate-limit-config.ts";

/** A policy in one of three forms: as options, from `definePolicy`, or from a configuration. */
export type PolicySource = PolicyOptions | { policy: Policy } | { config: RateLimitConfig };

/** Options of a limiter: its policy, and where to store its buckets. */
export type RateLimiterOptions<B extends Backend = Backend> = PolicySource & {
  /** Stores the buckets. */
  backend: B;
  /**
   * Names the limiter, with any string. Limiters with the same name, `keyPrefix` and backend share their buckets, across processes too if
   * they share the backend; such a backend requires a name.
   * Together with `rate` it also names the limit, if headers can carry it (`^[A-Za-z][A-Za-z0-9_.-]{0,63}$`). Together with `policy` or
   * `config` the limits keep their names.
   * @defaultValue the name in `config`, or `"default"` on a backend of this process
   */
  name?: string | undefined;
  /**
   * The prefix of all keys in a shared store.
   * @defaultValue the prefix in `config`, or `"ratelimit:"`
   */
  keyPrefix?: string | undefined;
  /**
   * Takes over the name from a live limiter with another policy, for example after a hot reload. All limiters with this name then get the
   * new policy.
   * @defaultValue false: a second policy under the same name is an error
   */
  replace?: boolean | undefined;
};

/** The rules for a {@link PolicySource}. */
export const policySourceRules: Rules = {
  ...policyRules,
  policy: {
    expects: "what definePolicy returned",
    accepts: isPolicy,
    hint: "write policy: definePolicy({ rate: 100 })",
  },
  config: {
    expects: "what defineConfig or configFromEnv returned",
    accepts: (value) => isPolicy((value as Partial<RateLimitConfig> | null)?.policy),
    hint: "write config: defineConfig({ rate: 100 })",
  },
};

/** The options of a limiter. */
export const limiterRules: Rules = {
  ...policySourceRules,
  backend: rule.readElsewhere,
  name: { ...rule.string, hint: 'write name: "api"' },
  keyPrefix: { ...rule.string, hint: 'write keyPrefix: "myapp:"' },
  replace: { ...rule.boolean, hint: "write replace: true to take the name over" },
  computed: rule.derived,
};

/** A limiter's options after they were read. */
export interface LimiterSettings<B extends Backend> {
  readonly policy: Policy;
  readonly backend: B;
  readonly name: string;
  readonly keyPrefix: string;
  readonly replace: boolean;
  /** Whether limiters with other policies may use the same name at the same time, because each request has its own policy. */
  readonly computed: boolean;
}

/** Reads options that were checked against {@link limiterRules}. Adds whatever else is wrong with them to `problems`. */
export function readLimiterOptions<B extends Backend>(problems: Problems, options: Options): LimiterSettings<B> | undefined {
  const { config, ...own } = options as Partial<LimiterSettings<B> & { config: Partial<RateLimitConfig> }>;
  const { backend, name = config?.name, keyPrefix = config?.keyPrefix ?? "ratelimit:", replace = false, computed = false } = own;
  checkBackend(problems, backend, name);
  const policy = readPolicySource(problems, options, name);
  return policy && backend && { policy, backend, name: name ?? defaultName, keyPrefix, replace, computed };
}

/** Reads the policy from `options`, which must have exactly one source of it. In the short form, `name` also names the limit. */
export function readPolicySource(problems: Problems, options: Options, name: string | undefined): Policy | undefined {
  const { policy, config } = options as { policy?: Policy; config?: RateLimitConfig };
  const written = policyOptions.filter((option) => options[option] !== undefined);
  const sources = [...Object.keys({ ...(policy && { policy }), ...(config && { config }) }), ...written.slice(0, 1)];
  if (sources.length > 1) {
    const hint = policy === undefined ? "leave one out, or combine them with defineConfig" : "leave all but one out";
    problems.coded("INVALID_OPTION").report(`Expected one policy, got ${sources.map((source) => `\`${source}\``).join(" and ")}: ${hint}`);
  }
  if (policy !== undefined || config !== undefined) return policy ?? config?.policy;
  const given = Object.fromEntries(written.map((option) => [option, options[option]]));
  return readPolicy(problems.coded("INVALID_POLICY"), withLimitName(given, name));
}

/** In the short form, the limiter's name also names its limit, if headers can carry it. */
function withLimitName(options: Options, name: string | undefined): Options {
  return options["limits"] === undefined && isLimitName(name) ? { name, ...options } : options;
}

/** Adds what is wrong with a limiter's backend, or with its name on that backend, to `problems`. */
export function checkBackend(problems: Problems, backend: Backend | undefined, name: string | undefined): void {
  const missing = missingMethods(backend);
  if (backend === undefined)
    problems.add("backend", "given", undefined, "write backend: new MemoryBackend() (from @ratelimit/backend-memory)");
  else if (missing.length > 0)
    problems.add(
      "backend",
      "a backend with take, adjust, block, reset and close",
      backend,
      `it has no ${missing.join(", no ")}; write backend: new MemoryBackend()`,
    );
  else if (backend.inProcess !== true && name === undefined)
    problems.add(
      "name",
      "given for a backend shared by several processes",
      name,
      'write name: "api", so that every process uses the same buckets',
    );
}
