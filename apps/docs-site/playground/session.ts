import { MemoryBackend } from "@ratelimit/backend-memory";
import { RateLimitError, RateLimiter, type RateLimitResult } from "@ratelimit/core";
import { rateLimitHeaders } from "@ratelimit/core/http";

export interface Settings {
  readonly rate: number;
  readonly period: string;
  readonly burst: number;
}

/** A request and the answer that it got. */
export interface Answer {
  readonly id: number;
  readonly result: RateLimitResult;
  readonly headers: Readonly<Record<string, string>>;
}

const client = "you";

/** One bucket, and one client that sends requests. */
export class Session {
  readonly #limiter: RateLimiter<MemoryBackend>;
  #sent = 0;

  /** @throws {RateLimitError} INVALID_POLICY if the settings are not a limit. */
  constructor({ rate, period, burst }: Settings) {
    this.#limiter = new RateLimiter({ rate, period: /^\d+$/.test(period) ? Number(period) : period, burst, backend: new MemoryBackend() });
  }

  /** Tokens in the bucket now, with fractions. */
  get tokens(): number {
    const [limit] = this.#limiter.policy.limits;
    const [state] = this.#limiter.checkSync(client, { cost: 0 }).limits;
    return (limit.capacityUnits - (state?.used ?? 0)) / limit.unitsPerToken;
  }

  /** Seconds until a request of this cost would be admitted. */
  waitFor(cost: number): number {
    const [limit] = this.#limiter.policy.limits;
    const missing = (cost - this.tokens) * limit.unitsPerToken;
    return cost > limit.burst ? Number.POSITIVE_INFINITY : Math.max(0, missing / limit.unitsPerMs / 1000);
  }

  /** @throws {RateLimitError} INVALID_COST if the cost is not a whole number. */
  send(cost: number): Answer {
    const result = this.#limiter.checkSync(client, { cost });
    this.#sent += 1;
    return { id: this.#sent, result, headers: rateLimitHeaders(result, this.#limiter.policy) };
  }

  close(): void {
    void this.#limiter.close();
  }
}

/** Returns the message for a mistake in the settings or the cost. */
export function messageOf(error: unknown): string {
  if (error instanceof RateLimitError) return error.message;
  throw error;
}
