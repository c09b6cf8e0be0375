import type { Awaitable, Backend } from "../backend.ts";
import { limiterRules, RateLimiter, type RateLimiterOptions, readLimiterOptions } from "../limiter.ts";
import { policyOptions } from "../policy.ts";
import { Problems, type Rules } from "../problems.ts";
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
  const own = Object.fromEntries(Object.entries(options).filter(([option, value]) => value !== undefined && option in limiterRules));
  const source = options.limiter ?? made(problems, options, own, defaultBackend);
  if (options.limiter !== undefined)
    for (const option of Object.keys(own)) problems.say(`Expected \`${option}\` to be absent beside \`limiter\`: the limiter has its own`);
  if (source instanceof RateLimiter) checkConstantCost(problems, source, options.cost);
  problems.throwIfAny("INVALID_OPTION");
  return source as LimiterSource<Req>;
}

function made<Req>(problems: Problems, options: GuardOptions<Req>, own: object, defaultBackend?: () => Backend): RateLimiter | undefined {
  const { backend = defaultBackend?.(), name, config } = options;
  if (!("config" in own) && !policyOptions.some((option) => option in own)) {
    problems.say('Expected a policy, got none: write { rate: 100, period: "1m" }, or { limiter }');
    return undefined;
  }
  if (options.backend === undefined && config?.redisUrl !== undefined)
    problems.say(
      "Expected `backend` to be given beside a `config` with a Redis: write backend: new RedisBackend({ url: config.redisUrl })",
    );
  if (backend && backend.inProcess !== true && name === undefined)
    problems.add(
      "name",
      "given with a backend that processes share",
      name,
      'write name: "api", so that every process means the same bucket',
    );
  const alone = options.backend === undefined || name === undefined;
  const limiterOptions = { ...own, backend, ...(alone && { keyPrefix: `guard ${++guards}:` }) } as RateLimiterOptions;
  readLimiterOptions(problems, limiterOptions);
  return problems.count === 0 ? new RateLimiter(limiterOptions) : undefined;
}

function checkConstantCost(problems: Problems, { policy }: RateLimiter, cost: unknown): void {
  const burst = Math.min(...policy.limits.map((limit) => limit.burst));
  if (typeof cost === "number" && cost > burst)
    problems.add("cost", `at most the burst of ${burst}`, cost, "no request would ever be admitted");
}
