import type { Backend } from "../backend/backend.ts";
import { missingMethods } from "../backend/backend.ts";
import {
  defaultName,
  isLimitName,
  isPolicy,
  type Policy,
  type PolicyOptions,
  policyOptions,
  policyRules,
  readPolicy,
} from "../policy/policy.ts";
import { type Options, type Problems, type Rules, rule } from "../validation.ts";
import type { RateLimitConfig } from "./rate-limit-config.ts";

/** Where a policy comes from: written in place, compiled by `definePolicy`, or out of a configuration. */
export type PolicySource = PolicyOptions | { policy: Policy } | { config: RateLimitConfig };

/** The policy of a limiter, and where its buckets are kept. */
export type RateLimiterOptions<B extends Backend = Backend> = PolicySource & {
  /** Keeps the buckets. */
  backend: B;
  /**
   * Says which bucket is meant, among those of one backend and `keyPrefix`: any string. Processes that share a backend mean the same
   * bucket by the same name, so there it is required.
   * Beside a `rate` it names that limit too, if it can stand in a header (`^[A-Za-z][A-Za-z0-9_.-]{0,63}$`); beside a `policy` or a
   * `config` the limits keep their names.
   * @defaultValue the name in `config`, or `"default"` on a backend of this process
   */
  name?: string | undefined;
  /**
   * Begins all keys in a shared store.
   * @defaultValue that of `config`, or `"ratelimit:"`
   */
  keyPrefix?: string | undefined;
  /**
   * Takes the name over from a live limiter that has another policy, as after a hot reload. All limiters of the name then have the
   * new policy.
   * @defaultValue false: another policy under the same name is an error
   */
  replace?: boolean | undefined;
};

/** The ways to give a policy; each of the names in `policyOptions` is part of the first. */
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
};

/** What the options of a limiter say. */
export interface LimiterSettings<B extends Backend> {
  readonly policy: Policy;
  readonly backend: B;
  readonly name: string;
  readonly keyPrefix: string;
  readonly replace: boolean;
}

/** Reads the options of a limiter that were held against {@link limiterRules}; what is wrong with them goes to `problems`. */
export function readLimiterOptions<B extends Backend>(problems: Problems, options: Options): LimiterSettings<B> | undefined {
  const { config, ...own } = options as Partial<LimiterSettings<B> & { config: Partial<RateLimitConfig> }>;
  const { backend, name = config?.name, keyPrefix = config?.keyPrefix ?? "ratelimit:", replace = false } = own;
  checkBackend(problems, backend, name);
  const policy = readPolicySource(problems, options, name);
  return policy && backend && { policy, backend, name: name ?? defaultName, keyPrefix, replace };
}

/** Reads the policy among `options`, from the one source that may be there; the limit of a short form is called `name`. */
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

/** In the short form a limiter's name is that of its limit too, if headers can carry it. */
function withLimitName(options: Options, name: string | undefined): Options {
  return options["limits"] === undefined && isLimitName(name) ? { name, ...options } : options;
}

function checkBackend(problems: Problems, backend: Backend | undefined, name: string | undefined): void {
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
      "given with a backend that processes share",
      name,
      'write name: "api", so that every process means the same bucket',
    );
}
