import { RateLimitError } from "@ratelimit/core";
import { keyErrorPrefix } from "./scripts.ts";

/** What ioredis may add to an error: the command with the key or a password in its arguments, and another such error. */
interface ClientError extends Error {
  readonly code?: unknown;
  readonly lastNodeError?: unknown;
}

/** Whether Redis answered, with an error; else there is no telling whether the call was carried out. */
export function isReply(error: unknown): error is Error {
  return error instanceof Error && error.name === "ReplyError";
}

/** Whether Redis does not know the script, and so has not run it. */
export function isNoScript(error: unknown): boolean {
  return isReply(error) && error.message.startsWith("NOSCRIPT");
}

/** The error of a call that failed; where only its key is at fault, it says so. */
export function failure(error: unknown): RateLimitError {
  const cause = withoutCommand(error);
  if (isReply(error) && (error.message.includes(keyErrorPrefix) || error.message.includes("WRONGTYPE ")))
    return new RateLimitError(
      "BACKEND",
      "Expected the bucket's key in Redis to hold what this library wrote there, got something else: delete the key, or use a keyPrefix that no other program uses",
      { cause, keyOnly: true },
    );
  return new RateLimitError("BACKEND", "Expected Redis to decide, got an error: its cause says why", { cause });
}

/** A failure that has no error of the client's behind it. */
export function unusable(message: string): RateLimitError {
  return new RateLimitError("BACKEND", message);
}

/** The same error, without a key or a password in it. */
function withoutCommand(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { name, message, stack, code, lastNodeError } = error as ClientError;
  const clean = new Error(message, lastNodeError === undefined ? undefined : { cause: withoutCommand(lastNodeError) });
  return Object.assign(clean, { name, stack }, code === undefined ? undefined : { code });
}
