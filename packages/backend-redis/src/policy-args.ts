import type { Limit, Policy } from "@ratelimit/core/backend";

/** What the script needs to know of a policy, written as strings once, because numbers are slow to write. */
export interface PolicyArgs {
  /** For a single take from the only limit: full, fingerprint, and r unless it is 1. `undefined` if the policy needs the long form. */
  readonly short: readonly string[] | undefined;
  /** Of each limit full, fingerprint, r and p; then the milliseconds of a block, if there is one. */
  readonly long: readonly string[];
  /** The limits in `long`: limits of equal numbers are one. */
  readonly limits: readonly Limit[];
  /** Where each limit of the policy is in `limits`. */
  readonly places: readonly number[];
}

/** Writes a policy for the script. */
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
