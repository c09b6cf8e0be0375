import type { Policy } from "@ratelimit/core";

/** A policy, and what the scripts are told of it: written once, for numbers are slow to write. */
export interface Written {
  readonly policy: Policy;
  /** Of its first limit full and r. */
  readonly first: readonly [full: string, r: string];
  /** Of each limit name, p, r and full. */
  readonly all: readonly string[];
}

export function write(policy: Policy): Written {
  const [{ full, r }] = policy.limits;
  return {
    policy,
    first: [String(full), String(r)],
    all: policy.limits.flatMap(({ name, p, r, full }) => [name, ...[p, r, full].map(String)]),
  };
}
