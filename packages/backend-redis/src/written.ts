import type { Policy } from "@ratelimit/core";

/** What the scripts are told of a policy: written once, for numbers are slow to write. */
export interface Written {
  /** Of its first limit full, and r where it is not 1. */
  readonly first: readonly string[];
  /** Of each limit name, p, r and full. */
  readonly all: readonly string[];
}

export function write({ limits }: Policy): Written {
  const [{ full, r }] = limits;
  return {
    first: r === 1 ? [String(full)] : [String(full), String(r)],
    all: limits.flatMap(({ name, p, r, full }) => [name, ...[p, r, full].map(String)]),
  };
}
