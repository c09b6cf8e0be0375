import { type OutageClass, RateLimitError } from "@ratelimit/core";
import type { KeyFault } from "./scripts.ts";

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

/** Whether a node misses others of its Cluster; it may be the one that is cut off, and another have its slots by now. */
export function isClusterDown(error: unknown): boolean {
  return isReply(error) && error.message.startsWith("CLUSTERDOWN");
}

/** The error of a call that failed. */
export function failure(error: unknown): RateLimitError {
  const cause = withoutCommand(error);
  return new RateLimitError("BACKEND", "Expected Redis to decide, got an error: its cause says why", { cause });
}

/** The error of a key that does not hold a bucket. */
export function faultOf(fault: KeyFault): RateLimitError {
  return keyFailure(new Error(faults[fault]));
}

/** What failed: the connection, or a server that answers but refuses to work. */
export function classOf(error: unknown): OutageClass {
  return isReply(error instanceof Error ? error.cause : undefined) ? "server" : "connection";
}

const faults: Readonly<Record<KeyFault, string>> = {
  wrongType: "WRONGTYPE the key is of another type",
  neverExpires: "the key has no expiry",
  notOurs: "the value is not a bucket",
};

function keyFailure(cause: unknown): RateLimitError {
  return new RateLimitError(
    "BACKEND",
    "Expected the bucket's key in Redis to hold what this library wrote there, got something else: delete the key, or use a keyPrefix that no other program uses",
    { cause, keyOnly: true },
  );
}

/** A failure that has no error of the client's behind it. */
export function unusable(message: string): RateLimitError {
  return new RateLimitError("BACKEND", message);
}

/** What ioredis says of a call that it cannot send, to whoever knows its options. */
const cannotSend = /^(Stream isn't writeable|Cluster isn't ready|Reached the max retries per request limit)/;

/** The same error, without a key or a password in it. */
function withoutCommand(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { name, stack, code, lastNodeError } = error as ClientError;
  const message = cannotSend.test(error.message) ? "Redis is not connected" : error.message;
  const clean = new Error(message, lastNodeError === undefined ? undefined : { cause: withoutCommand(lastNodeError) });
  return Object.assign(clean, { name, stack }, code === undefined ? undefined : { code });
}
