import type { Awaitable, Backend } from "../../backend/backend.ts";
import { limiterRules, policySourceRules, type RateLimiterOptions, readLimiterOptions } from "../../config/limiter-options.ts";
import { RateLimiter } from "../../limiter/rate-limiter.ts";
import { Problems, type Rules } from "../../validation.ts";
import type { GuardOptions } from "./options.ts";

/** The limiter of a guard, or the function that picks one for a request. */
export type LimiterSource<Req> = RateLimiter | ((req: Req) => Awaitable<RateLimiter | undefined>);

let guards = 0;

/**
 * Where a guard's limiter comes from: given, picked per request, or made of the policy in its options.
 * Made in this process without a shared name, its buckets are in a scope that no other guard has.
 *
 * @throws {RateLimitError} INVALID_OPTION or INVALID_POLICY that tells every problem at once.
 */
export function limiterSource<Req>(options: GuardOptions<Req>, rules: Rules, defaultBackend?: () => Backend): LimiterSource<Req> {
  const problems = Problems.none();
  if (!problems.checkOptions("options", options, rules)) problems.throwIfAny("INVALID_OPTION");
  const own = Object.fromEntries(Object.entries(options).filter(([option]) => option in limiterRules));
  const source = options.limiter ?? made(problems, options, own, defaultBackend);
  if (options.limiter !== undefined)
    for (const option of Object.keys(own))
      problems.report(`Expected \`${option}\` to be absent beside \`limiter\`: leave it out, the limiter has its own`);
  if (source instanceof RateLimiter) checkConstantCost(problems, source, options.cost);
  problems.throwIfAny("INVALID_OPTION");
  return source as LimiterSource<Req>;
}

function made<Req>(problems: Problems, options: GuardOptions<Req>, own: object, defaultBackend?: () => Backend): RateLimiter | undefined {
  const { backend = defaultBackend?.(), config, name = config?.name } = options;
  if (!Object.keys(own).some((option) => option in policySourceRules)) {
    problems.report('Expected a policy, got none: write { rate: 100, period: "1m" }, or { limiter }');
    return undefined;
  }
  if (options.backend === undefined && config?.redisUrl !== undefined)
    problems.report(
      "Expected `backend` to be given beside a `config` with a Redis: write backend: new RedisBackend({ url: config.redisUrl })",
    );
  const alone = options.backend === undefined || name === undefined;
  const limiterOptions = { ...own, backend, ...(alone && { keyPrefix: `guard ${++guards}:` }) };
  readLimiterOptions(problems, limiterOptions);
  return problems.count === 0 ? new RateLimiter(limiterOptions as RateLimiterOptions) : undefined;
}

function checkConstantCost(problems: Problems, { policy }: RateLimiter, cost: unknown): void {
  const burst = Math.min(...policy.limits.map((limit) => limit.burst));
  // A policy of `rate: 0` is closed on purpose, whatever a request would cost.
  if (typeof cost === "number" && burst > 0 && cost > burst)
    problems.add("cost", `at most the burst of ${burst}`, cost, "lower it or raise the burst, or no request is ever admitted");
}
