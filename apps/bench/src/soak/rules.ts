import type { LimitOptions } from "@ratelimit/core";

/** The servers that share the limits. */
export const servers = ["express", "fastify", "koa"] as const;

/**
 * The limits of the soak. Hot keys get six times the requests that their limit admits. A known key gets a token back every 20 minutes, so
 * all of them stay in use, and of three servers that ask for it in turn the third is refused. A fresh key is used once.
 */
export const rules = {
  hot: { rate: 10, period: 1, burst: 30 },
  known: { rate: 3, period: "1h", burst: 2 },
  fresh: { rate: 10, period: 1, burst: 30 },
  proof: { rate: 5, period: "1h", burst: 5 },
} as const satisfies Record<string, LimitOptions>;

/** How many hot keys there are. */
export const hotKeys = 3;

export type Kind = keyof typeof rules;

/** The header fields of the soak. Requests choose a limit and a bucket with them, and responses report what made the decision. */
export const fields = { kind: "x-kind", key: "x-key", source: "x-source" } as const;

/**
 * The tokens that an outage may grant a key beyond its rate: each process admits its local portion, and at least one call; then the
 * returning Redis has a full bucket, because it lost its data or because the key used local ones meanwhile.
 */
export function outageTokens(burst: number): number {
  return servers.length * Math.max(1, burst / servers.length) + burst;
}
