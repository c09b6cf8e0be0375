import type { Limit, Policy } from "../policy/policy.ts";
import { warnOnce } from "../warnings.ts";

/** How a policy leases tokens. */
export interface LeaseTerms {
  /** Tokens are granted so many milliseconds in advance. A key without calls for that long hands them back. */
  readonly horizonMs: number;
  /** How long a process may spend them, in ms. */
  readonly validMs: number;
}

/** Below so many tokens in the time of a lease, a call would nearly always have to ask the backend anyway. */
export const fewestTokens = 5;

/** What the backend's clock may be behind the process's, in ms: it counts whole milliseconds. */
export const clockMs = 2;

/**
 * Returns how a policy leases tokens. A lease never takes more than a quarter of a bucket in advance.
 *
 * Returns `undefined`, and warns, if a limit refills so few tokens in that time that a lease would save nothing.
 */
export function leaseTerms({ limits, leaseMs }: Policy): LeaseTerms | undefined {
  const horizonMs = Math.min(leaseMs, ...limits.map(({ capacityUnits, unitsPerMs }) => Math.floor(capacityUnits / unitsPerMs / 4)));
  const slow = limits.find((limit) => refilled(limit, horizonMs) < fewestTokens);
  if (slow === undefined) return { horizonMs, validMs: 2 * horizonMs };
  const numbers = `${slow.rate} per ${slow.periodMs} ms with a burst of ${slow.burst}`;
  warnOnce(
    "RATELIMIT_LEASE_TOO_SLOW",
    `lease: "${leaseMs}ms" has no effect, because a limit of ${numbers} refills only ${Math.floor(refilled(slow, horizonMs))} tokens in ${horizonMs} ms, the time for which tokens can be taken in advance, and a lease needs ${fewestTokens}: use a longer lease, or leave it out`,
    `${numbers} ${leaseMs}`,
  );
  return undefined;
}

function refilled({ unitsPerMs, unitsPerToken }: Limit, ms: number): number {
  return (ms * unitsPerMs) / unitsPerToken;
}
