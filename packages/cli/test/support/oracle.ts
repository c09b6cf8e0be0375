import type { Request } from "./log.ts";

/** A limit as the oracle counts it. */
interface Rule {
  readonly rate: number;
  readonly periodMs: number;
  readonly burst: number;
}

/** Decides every request with a bucket in fractions of big integers, which shares no code with core. */
export function oracle(
  requests: Iterable<Request>,
  { rate, periodMs, burst }: Rule,
): { readonly request: Request; readonly refused: boolean }[] {
  // Tokens are counted in parts of 1 / periodMs.
  const token = BigInt(periodMs);
  const full = BigInt(burst) * token;
  const buckets = new Map<string, { tokens: bigint; at: number }>();
  return [...requests].map((request) => {
    const bucket = buckets.get(request.ip) ?? { tokens: full, at: request.time };
    const refilled = bucket.tokens + BigInt(request.time - bucket.at) * BigInt(rate);
    const tokens = refilled > full ? full : refilled;
    const refused = tokens < token;
    buckets.set(request.ip, { tokens: refused ? tokens : tokens - token, at: request.time });
    return { request, refused };
  });
}
