/** The kind of mistake or outage that a {@link RateLimitError} reports. `docs/errors.md` has a heading for each code. */
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
 * Reports a mistake by the caller or an outage of a backend. A refusal is a value instead, except from `enforce` and `wait`.
 *
 * `code` gives the kind. `BACKEND` has `status: 503`, and `keyOnly: true` if only the one key is affected.
 * The message never contains a key, an address or a password.
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

/** Whether an error is a {@link RateLimitError}, even one from another copy of this package. */
export function isRateLimitError(error: unknown): error is RateLimitError {
  return error instanceof RateLimitError || (error instanceof Error && error.name === "RateLimitError" && "code" in error);
}
