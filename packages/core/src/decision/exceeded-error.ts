import { isRateLimitError, RateLimitError } from "../errors.ts";
import { expected } from "../messages.ts";
import type { Policy } from "../policy/policy.ts";
import { legacyFields } from "./headers.ts";
import type { RateLimitResult } from "./result.ts";

/** The minimum that describes a refusal. The rest of its {@link RateLimitResult} is filled in. */
export interface Refusal {
  /** Tokens per period. */
  readonly limit: number;
  /** Seconds until a retry can succeed; `Infinity` if it never can. */
  readonly retryAfter: number;
  /**
   * Whole tokens left.
   * @defaultValue 0
   */
  readonly remaining?: number | undefined;
  /**
   * Unix time in seconds at which the bucket is full.
   * @defaultValue now + `retryAfter`
   */
  readonly resetAt?: number | undefined;
}

/**
 * A refusal as an exception. `limiter.enforce` throws it, and your handlers can throw it too.
 *
 * The adapters answer it like a refusal of their own, in the header modes of the request's limits. Without them, the default error
 * handling of Express, Fastify and Koa turns it into a 429 with `headers` (`X-RateLimit-*`, and `Retry-After` in whole seconds), or into a
 * 403 if no wait would help. `key` is for your own code: it is not enumerable and not in the message, which keeps it out of logs.
 *
 * @throws {RateLimitError} INVALID_OPTION if `limit`, `remaining` or `resetAt` is not a finite number of at least 0, or `retryAfter` is
 * negative or not a number.
 * @example
 * const result = await limiter.check("user:123");
 * if (!result.allowed) throw new RateLimitExceeded(result);
 */
export class RateLimitExceeded extends RateLimitError {
  override readonly name: string = "RateLimitExceeded";
  override readonly status: 403 | 429;
  readonly statusCode: 403 | 429;
  readonly expose: true = true;
  readonly result: RateLimitResult;
  readonly headers: Record<string, string>;
  declare readonly key?: string;
  /** The policy that refused, not enumerable. Header modes other than the legacy one need it. */
  declare readonly policy?: Policy;

  constructor(refusal: RateLimitResult | Refusal, options: { key?: string | undefined; policy?: Policy | undefined } = {}) {
    const result = isResult(refusal) ? refusal : filledIn(refusal);
    const isFinal = result.retryAfter === Number.POSITIVE_INFINITY;
    super("EXCEEDED", `Rate limit exceeded: ${retryAdvice(result.retryAfter)}`);
    this.result = result;
    this.status = this.statusCode = isFinal ? 403 : 429;
    this.headers = { ...(!isFinal && legacyFields([{ result }])), "Cache-Control": "no-store" };
    for (const hidden of ["key", "policy"] as const)
      if (options[hidden] !== undefined) Object.defineProperty(this, hidden, { value: options[hidden] });
  }

  /** @internal Also recognizes the errors of other copies of this package. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: subclasses inherit this method, and only their own instances are theirs
    return this === RateLimitExceeded ? isRateLimitError(value) && "result" in value : super[Symbol.hasInstance](value);
  }
}

function retryAdvice(retryAfter: number): string {
  if (retryAfter === Number.POSITIVE_INFINITY) return "this costs more than the limit ever allows";
  const seconds = Math.max(1, Math.ceil(retryAfter));
  return `retry in ${seconds} ${seconds === 1 ? "second" : "seconds"}`;
}

function isResult(refusal: RateLimitResult | Refusal): refusal is RateLimitResult {
  if (typeof refusal === "object" && refusal !== null) return "tightest" in refusal;
  throw new RateLimitError(
    "INVALID_OPTION",
    expected("refusal", "the result of a check", refusal, "pass one, or { limit: 100, retryAfter: 30 }"),
  );
}

function filledIn(refusal: Refusal): RateLimitResult {
  const { limit, retryAfter, remaining = 0, resetAt = Date.now() / 1000 + finiteOr(retryAfter, 0) } = refusal;
  for (const [option, value] of Object.entries({ limit, retryAfter, remaining, resetAt })) {
    const endless = option === "retryAfter" && value === Number.POSITIVE_INFINITY;
    if (!(typeof value === "number" && value >= 0 && (value < Number.POSITIVE_INFINITY || endless)))
      throw new RateLimitError("INVALID_OPTION", expected(option, "a number of at least 0", value, "pass the result of a check"));
  }
  const resetAfter = Math.max(0, resetAt - Date.now() / 1000);
  return {
    allowed: false,
    limit,
    burst: limit,
    remaining,
    retryAfter,
    resetAfter,
    resetAt,
    tightest: "default",
    limits: [],
    cost: 1,
    source: "backend",
    degraded: false,
  };
}

function finiteOr(value: number, fallback: number): number {
  return Number.isFinite(value) ? value : fallback;
}

/** Whether an error is a {@link RateLimitExceeded}, even one from another copy of this package. */
export function isRateLimitExceeded(error: unknown): error is RateLimitExceeded {
  if (error instanceof RateLimitExceeded) return true;
  if (!(error instanceof Error) || error.name !== "RateLimitExceeded") return false;
  return Array.isArray((error as Partial<RateLimitExceeded>).result?.limits);
}
