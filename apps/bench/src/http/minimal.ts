import type { Rule } from "../memory/subjects.ts";

/** Whether a request is admitted, and the three header fields that every limiter sends. */
export interface Decision {
  readonly allowed: boolean;
  readonly headers: Readonly<Record<string, string>>;
}

/** The body of a refusal. */
export const refusal = "Too many requests";

/** The least that a limiter with headers must do: a Map, a clock and a leaky bucket. It never frees memory. */
export function minimalLimiter({ rate, periodMs, burst }: Rule): (key: string) => Decision {
  const buckets = new Map<string, number>();
  const tokenMs = periodMs / rate;
  return (key) => {
    const now = Date.now();
    const before = Math.max(buckets.get(key) ?? 0, now);
    const allowed = before + tokenMs - now <= burst * tokenMs;
    const fullAt = allowed ? before + tokenMs : before;
    if (allowed) buckets.set(key, fullAt);
    const headers: Record<string, string> = {
      "X-RateLimit-Limit": String(rate),
      "X-RateLimit-Remaining": String(Math.floor(burst - (fullAt - now) / tokenMs)),
      "X-RateLimit-Reset": String(Math.ceil(fullAt / 1000)),
    };
    if (!allowed) headers["Retry-After"] = String(Math.ceil((fullAt + tokenMs - now) / 1000 - (burst * tokenMs) / 1000));
    return { allowed, headers };
  };
}
