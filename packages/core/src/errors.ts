/** What kind of mistake or outage a {@link RateLimitError} tells; `docs/errors.md` has a heading for each. */
export type RateLimitErrorCode =
  | "INVALID_POLICY"
  | "INVALID_COST"
  | "INVALID_KEY"
  | "INVALID_CONFIG"
  | "INVALID_OPTION"
  | "EXCEEDED"
  | "BACKEND"
  | "WAIT_TIMEOUT";

/**
 * A mistake of the caller, or an outage of a backend. A refusal is a value, unless `enforce` was asked for.
 *
 * `code` says which kind. `BACKEND` carries `status: 503`, and `keyOnly: true` where only that one key is bad.
 * The message never holds a key, an address or a password.
 */
export class RateLimitError extends Error {
  override readonly name: string = "RateLimitError";
  readonly code: RateLimitErrorCode;
  declare readonly status?: number;
  declare readonly keyOnly?: true;

  constructor(code: RateLimitErrorCode, message: string, options: { cause?: unknown; keyOnly?: boolean } = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    if (code === "BACKEND") this.status = 503;
    if (options.keyOnly) this.keyOnly = true;
  }
}

/** Whether an error is one of these, also where another copy of this package made it. */
export function isRateLimitError(error: unknown): error is RateLimitError {
  return error instanceof RateLimitError || (error instanceof Error && error.name === "RateLimitError" && "code" in error);
}
