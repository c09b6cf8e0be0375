import { isRateLimitError, RateLimitError } from "../errors.ts";

/** Converts a backend's error to the error that callers see. */
export function failureOf(error: unknown): RateLimitError {
  return isRateLimitError(error) ? error : new RateLimitError("BACKEND", "The backend failed", { cause: error });
}

/** Whether an error is the caller's mistake, which is not an outage. */
export function isMistake(error: unknown): boolean {
  return isRateLimitError(error) && error.code !== "BACKEND";
}

/** The message of the innermost cause, at most 5 levels down. */
export function reasonOf({ message, cause }: Error, depth: number = 0): string {
  return cause instanceof Error && depth < 5 ? reasonOf(cause, depth + 1) : message;
}
