import type { Awaitable, Backend } from "../../backend/backend.ts";
import { limiterRules, policySourceRules, type RateLimiterOptions, readLimiterOptions } from "../../config/limiter-options.ts";
import { RateLimiter } from "../../limiter/rate-limiter.ts";
import { Problems, type Rules } from "../../validation.ts";
import type { GuardOptions } from "./options.ts";

/** A guard's limiter, or a function that picks one per request. */
export type LimiterSource<Req> = RateLimiter | ((req: Req) => Awaitable<RateLimiter | undefined>);

let guards = 0;

/**
 * Returns the limiter given in a guard's options, the function that picks one, or a new limiter with the policy in the options.
 * Unless a new limiter has both a `backend` option and a name, it gets a key prefix that no other guard uses.
 *
 * @throws {RateLimitError} INVALID_OPTION or INVALID_POLICY, with every problem in one error.
 */
export function limiterSource<Req>(options: GuardOptions<Req>, rules: Rules, defaultBackend?: () => Backend): LimiterSource<Req> {
  const problems = Problems.none();
  if (!problems.checkOptions("options", options, rules)) problems.throwIfAny("INVALID_OPTION");
  const own = Object.fromEntries(Object.entries(options).filter(([option]) => option in limiterRules));
  const source = options.limiter ?? made(problems, options, own, defaultBackend);
  if (options.limiter !== undefined)
    for (const option of Object.keys(own))
      problems.report(`Expected \`${option}\` to be absent beside \`limiter\`: leave it out, because the limiter has its own`);
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
      "Expected `backend` to be given beside a `config` with a Redis URL: write backend: new RedisBackend({ url: config.redisUrl })",
    );
  const alone = options.backend === undefined || name === undefined;
  const limiterOptions = { ...own, backend, ...(alone && { keyPrefix: `guard ${++guards}:` }) };
  readLimiterOptions(problems, limiterOptions);
  return problems.count === 0 ? new RateLimiter(limiterOptions as RateLimiterOptions) : undefined;
}

function checkConstantCost(problems: Problems, { policy }: RateLimiter, cost: unknown): void {
  const burst = Math.min(...policy.limits.map((limit) => limit.burst));
  // `rate: 0` refuses everything on purpose, so no cost is too high for it.
  if (typeof cost === "number" && burst > 0 && cost > burst)
    problems.add("cost", `at most the burst of ${burst}`, cost, "lower it or raise the burst, or no request is ever admitted");
}
