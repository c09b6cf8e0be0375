import type { Rule } from "../memory/subjects.ts";

/** The three fields that everybody sends, and whether the request goes on. */
export interface Decision {
  readonly allowed: boolean;
  readonly headers: Readonly<Record<string, string>>;
}

/** What a refusal says. */
export const refusal = "Too many requests";

/** As little as a limiter can be that still tells its limit: a Map, a clock, a leaky bucket; nothing is given back. */
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
