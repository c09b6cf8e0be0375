import { isRateLimitError, RateLimitError } from "../errors.ts";

/** What callers are told of an error of a backend. */
export function failureOf(error: unknown): RateLimitError {
  return isRateLimitError(error) ? error : new RateLimitError("BACKEND", "The backend failed", { cause: error });
}

/** What the caller did wrong is no outage. */
export function isMistake(error: unknown): boolean {
  return isRateLimitError(error) && error.code !== "BACKEND";
}

/** What was at the bottom of it, as far as that can be told. */
export function reasonOf({ message, cause }: Error, depth: number = 0): string {
  return cause instanceof Error && depth < 5 ? reasonOf(cause, depth + 1) : message;
}
