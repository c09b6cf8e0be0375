import { type Awaitable, type Backend, isPromise } from "../../backend/backend.ts";
import {
  checkBackend,
  limiterRules,
  policySourceRules,
  type RateLimiterOptions,
  readLimiterOptions,
} from "../../config/limiter-options.ts";
import { RateLimitError } from "../../errors.ts";
import { ComputedLimiters, type Stored } from "../../limiter/computed-limiters.ts";
import { RateLimiter } from "../../limiter/rate-limiter.ts";
import { expectedSecret } from "../../messages.ts";
import { peerOptionHint } from "../../peer-options.ts";
import type { PolicyOptions } from "../../policy/policy.ts";
import { processWide } from "../../process-wide.ts";
import { Problems, type Rules } from "../../validation.ts";
import { type GuardOptions, isLimiter, type LimiterOf } from "./options.ts";

/** A guard's limiter, or a function that returns the limiter of a request. */
export type LimiterSource<Req> = RateLimiter | ((req: Req) => Awaitable<RateLimiter | undefined>);

/** The options beside a `limiter` function: where to store the buckets of the policies that it returns. */
const storageOptions = ["backend", "name", "keyPrefix"];

/** Counts the guards of all copies of this package, because they share the default backend. */
const guards = processWide("guards", () => ({ count: 0 }));

/**
 * Returns the limiter given in a guard's options, a function that picks one, or a new limiter with the policy in the options.
 * Unless a new limiter has both a `backend` option and a name, it gets a key prefix that no other guard uses.
 *
 * @throws {RateLimitError} INVALID_OPTION or INVALID_POLICY, with every problem in one error.
 */
export function limiterSource<Req>(options: GuardOptions<Req>, rules: Rules, defaultBackend?: () => Backend): LimiterSource<Req> {
  const problems = Problems.none(peerOptionHint);
  if (!problems.checkOptions("options", options, rules)) problems.throwIfAny("INVALID_OPTION");
  const { limiter } = options;
  const own = Object.fromEntries(Object.entries(options).filter(([option]) => option in limiterRules));
  const source =
    typeof limiter === "function"
      ? picked(problems, limiter, own, defaultBackend)
      : limiter === undefined
        ? made(problems, own, defaultBackend)
        : limiter;
  const allowed = typeof limiter === "function" ? storageOptions : [];
  for (const option of limiter === undefined ? [] : Object.keys(own).filter((name) => !allowed.includes(name)))
    problems.report(`Expected \`${option}\` to be absent beside \`limiter\`: leave it out, because the limiter has its own`);
  if (source instanceof RateLimiter) checkConstantCost(problems, source, options.cost);
  problems.throwIfAny("INVALID_OPTION");
  return source as LimiterSource<Req>;
}

type OwnOptions = Pick<GuardOptions<never>, "backend" | "config" | "name" | "keyPrefix">;

/** Makes the limiter of a policy that is written in the options. */
function made(problems: Problems, own: OwnOptions, defaultBackend?: () => Backend): RateLimiter | undefined {
  if (!Object.keys(own).some((option) => option in policySourceRules)) {
    problems.report('Expected a policy, got none: write { rate: 100, period: "1m" }, or { limiter }');
    return undefined;
  }
  if (own.backend === undefined && own.config?.redisUrl !== undefined)
    problems.report(
      "Expected `backend` to be given beside a `config` with a Redis URL: write backend: new RedisBackend({ url: config.redisUrl })",
    );
  const limiterOptions = stored(own, own.config?.name, defaultBackend);
  readLimiterOptions(problems, limiterOptions);
  return problems.count === 0 ? new RateLimiter(limiterOptions as RateLimiterOptions) : undefined;
}

/** Turns the option `limiter` into a function that always returns a limiter: policies that it returns get limiters of their own. */
function picked<Req>(
  problems: Problems,
  pick: LimiterOf<Req>,
  own: OwnOptions,
  defaultBackend?: () => Backend,
): Exclude<LimiterSource<Req>, RateLimiter> {
  if (own.backend !== undefined) checkBackend(problems, own.backend, own.name);
  let computed: ComputedLimiters | undefined;
  const limiterOf = (given: unknown): RateLimiter | undefined => {
    if (given === undefined || isLimiter(given)) return given;
    if (typeof given !== "object" || given === null)
      throw new RateLimitError(
        "INVALID_OPTION",
        expectedSecret("limiter", "a RateLimiter, a policy or undefined", given, "return one of these"),
      );
    computed ??= new ComputedLimiters(stored(own, undefined, defaultBackend) as Stored);
    return computed.of(given as PolicyOptions);
  };
  return (req) => {
    const given = pick(req);
    return isPromise(given) ? given.then(limiterOf) : limiterOf(given);
  };
}

/** Says where the buckets of a guard's own limiters are stored. */
function stored<O extends OwnOptions>(own: O, inherited: string | undefined, defaultBackend?: () => Backend): O {
  const { backend = defaultBackend?.(), name = inherited } = own;
  const isAlone = own.backend === undefined || name === undefined;
  return { ...own, backend, ...(isAlone && { keyPrefix: `guard ${++guards.count}:` }) };
}

function checkConstantCost(problems: Problems, { policy }: RateLimiter, cost: unknown): void {
  const burst = Math.min(...policy.limits.map((limit) => limit.burst));
  // `rate: 0` refuses everything on purpose, so no cost is too high for it.
  if (typeof cost === "number" && burst > 0 && cost > burst)
    problems.add("cost", `at most the burst of ${burst}`, cost, "lower it or raise the burst, or no request is ever admitted");
}
