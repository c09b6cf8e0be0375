import { policySourceRules } from "../../config/limiter-options.ts";
import type { RateLimiter } from "../../limiter/rate-limiter.ts";
import { isPlain, plainOptions } from "../../validation.ts";
import { type GuardOptions, guardRules, isLimiter } from "./options.ts";

/** Options that a scope passes on to the limits inside it. */
export interface Inherited<Req> {
  readonly options: GuardOptions<Req>;
  /** The scope's own limiter, if it has one. */
  readonly limiter: RateLimiter | undefined;
}

/** The options that choose a policy or a bucket. They are not merged one by one: a limit has its own policy, or that of its scope. */
const choosing = [...Object.keys(policySourceRules), "limiter", "name", "replace"];

/** The options that a limit cannot have beside `limiter`, because the limiter has its own. */
const storing = ["backend", "keyPrefix"];

/**
 * Completes a limit's options with those of its scope, field by field. Without a policy of its own, the limit uses the scope's limiter.
 * Options that this kind of limit does not have, such as `key` beside a user, are left out.
 */
export function inheritOptions<Req, Options extends object>(
  kind: keyof typeof guardRules,
  own: Options,
  { options, limiter }: Inherited<Req>,
): Options {
  const rules = guardRules[kind];
  const given = plainOptions(own, rules);
  const scope = plainOptions(options, rules) as GuardOptions<Req>;
  const { config } = scope;
  const passed: Record<string, unknown> = { ...(config && { headers: config.headers, keyPrefix: config.keyPrefix }), ...scope };
  for (const option of Object.keys(passed)) if (choosing.includes(option) || !(option in rules)) delete passed[option];
  if (!choosing.some((option) => option in given && option !== "name" && option !== "replace"))
    passed["limiter"] = limiter ?? options.limiter;
  const all: Record<string, unknown> = { ...passed, ...given };
  if (isLimiter(all["limiter"])) for (const option of storing) if (!(option in given)) delete all[option];
  return all as Options;
}

/**
 * Whether an object can be the options of a limit: a literal, or an object of a class that has one of the options. Any other, such as a
 * promise of options, would inherit everything by mistake.
 */
export function areOptions(kind: keyof typeof guardRules, given: object): boolean {
  return isPlain(given) || Object.keys(plainOptions(given, guardRules[kind])).length > 0;
}
