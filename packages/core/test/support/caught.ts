import { RateLimitError } from "@ratelimit/core";
import { expect } from "vitest";

/** Returns the RateLimitError that `act` throws. */
export function caught(act: () => unknown): RateLimitError {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(RateLimitError);
    return error as RateLimitError;
  }
  throw new Error("nothing was thrown");
}

/** Returns the RateLimitError that a promise rejects with. */
export async function rejected(promise: Promise<unknown>): Promise<RateLimitError> {
  const error: unknown = await promise.then(
    () => new Error("nothing was rejected"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(RateLimitError);
  return error as RateLimitError;
}
