/** The kind of mistake or outage that a {@link RateLimitError} reports. `errors.md` in this package explains each code. */
export type RateLimitErrorCode =
  | "INVALID_POLICY"
  | "INVALID_COST"
  | "INVALID_KEY"
  | "INVALID_CONFIG"
  | "INVALID_OPTION"
  | "EXCEEDED"
  | "BACKEND"
  | "WAIT_TIMEOUT";

/** Marks the errors of all copies of this package that a process has loaded, such as its ES modules and its CommonJS build. */
const brand: unique symbol = /* @__PURE__ */ Symbol.for("@ratelimit/core RateLimitError");

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

  /** @internal */
  get [brand](): true {
    return true;
  }

  /** @internal Also recognizes the errors of other copies of this package. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: subclasses inherit this method, and only their own instances are theirs
    return this === RateLimitError ? isRateLimitError(value) : super[Symbol.hasInstance](value);
  }
}

/** Whether an error is a {@link RateLimitError}, even one from another copy of this package. */
export function isRateLimitError(error: unknown): error is RateLimitError {
  return error instanceof Error && brand in error;
}
