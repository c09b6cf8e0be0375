import type { Limit, Policy } from "@ratelimit/core/backend";

/** The script arguments of a policy, formatted once because formatting numbers is slow. */
export interface PolicyArgs {
  /** The short form for a single take: full, fingerprint, and r unless it is 1. `undefined` if the policy needs the long form. */
  readonly short: readonly string[] | undefined;
  /** The long form: full, fingerprint, r and p of each limit, then the milliseconds of a block if the policy blocks keys. */
  readonly long: readonly string[];
  /** The limits in `long`. Limits with equal numbers are merged into one. */
  readonly limits: readonly Limit[];
  /** The index in `limits` of each limit of the policy. */
  readonly places: readonly number[];
}

/** Formats a policy for the script. */
export function policyArgs({ limits, blockMs }: Policy): PolicyArgs {
  const distinct = limits.filter((limit, i) => placeOf(limits, limit) === i);
  const [{ capacityUnits: full, fingerprint, unitsPerMs: r }] = limits;
  return {
    short: distinct.length === 1 && blockMs === 0 ? [full, fingerprint, ...(r === 1 ? [] : [r])].map(String) : undefined,
    long: [
      ...distinct.flatMap((limit) => [limit.capacityUnits, limit.fingerprint, limit.unitsPerMs, limit.unitsPerToken]),
      ...(blockMs === 0 ? [] : [blockMs]),
    ].map(String),
    limits: distinct,
    places: limits.map((limit) => placeOf(distinct, limit)),
  };
}

function placeOf(limits: readonly Limit[], { fingerprint }: Limit): number {
  return limits.findIndex((limit) => limit.fingerprint === fingerprint);
}
