import { type OutageClass, RateLimitError } from "@ratelimit/core/backend";
import type { KeyFault } from "./scripts.ts";

/** What ioredis may add to an error: a code, and the last error of a Cluster node. */
interface ClientError extends Error {
  readonly code?: unknown;
  readonly lastNodeError?: unknown;
}

/** Whether the error is a reply from Redis. If not, the call may or may not have been executed. */
export function isReply(error: unknown): error is Error {
  return error instanceof Error && error.name === "ReplyError";
}

/** Whether Redis does not know the script, and so has not executed it. */
export function isNoScript(error: unknown): boolean {
  return isReply(error) && error.message.startsWith("NOSCRIPT");
}

/** Whether a node cannot reach the rest of its Cluster. Another node may have taken over its slots by now. */
export function isClusterDown(error: unknown): boolean {
  return isReply(error) && error.message.startsWith("CLUSTERDOWN");
}

/** Matches error replies of Redis and Valkey, and those of proxies that word them differently. */
const answers = {
  crossSlot: /^(ERR )?CROSSSLOT |^ERR cross-slot |^ERR .* keys must (be )?in (the )?same slot/i,
  moved: /^(MOVED|ASK) /,
  forbiddenKey: /^NOPERM (this user has no permissions to access one of the keys|No permissions to access a key)/,
} as const;

function answered(error: unknown, answer: keyof typeof answers): boolean {
  return isReply(error) && answers[answer].test(error.message);
}

/** Whether Redis refused a script because its keys belong to different slots of a cluster. It has executed nothing. */
export function isCrossSlot(error: unknown): boolean {
  return answered(error, "crossSlot");
}

/** Whether Redis replied that another node has the key. A Cluster client follows such a reply, a plain one does not. */
export function isMoved(error: unknown): boolean {
  return answered(error, "moved");
}

/** Whether Redis refused a call because its user may not access one of the keys. It has executed nothing. */
export function isForbiddenKey(error: unknown): boolean {
  return answered(error, "forbiddenKey");
}

/** Whether the client gave up on a call after its own `commandTimeout`. */
export function isCommandTimeout(error: unknown): boolean {
  return error instanceof Error && error.message === "Command timed out";
}

/** Returns the error for the caller of a failed call. Its message says how to fix the problem if the cause is known. */
export function failure(error: unknown): RateLimitError {
  const cause = withoutCommand(error);
  if (isMoved(error)) return movedFailure();
  return new RateLimitError("BACKEND", isForbiddenKey(error) ? forbidden : "Expected Redis to decide, got an error: see its `cause`", {
    cause,
  });
}

/** Returns the error for a database that the server refuses. */
export function databaseFailure(error: Error): RateLimitError {
  const message = "Expected Redis to select the database of the client, got an error: see its `cause`, and use one that exists";
  return new RateLimitError("BACKEND", message, { cause: withoutCommand(error) });
}

/** Returns the error for a key that does not hold a bucket. */
export function faultOf(fault: KeyFault): RateLimitError {
  return keyFailure(new Error(faults[fault]));
}

/** Classifies the error that a caller gets by what failed. */
export function classOf(error: unknown): OutageClass {
  const cause = error instanceof Error ? error.cause : undefined;
  if (isCommandTimeout(cause)) return "timeout";
  if (isForbiddenKey(cause)) return "limiter";
  // The server still decides its own keys, so its breaker must stay closed. Only keys of other nodes are out of reach.
  if (isMoved(cause)) return "key";
  return isReply(cause) ? "server" : "connection";
}

const faults: Readonly<Record<KeyFault, string>> = {
  wrongType: "WRONGTYPE the key is of another type",
  neverExpires: "the key has no expiry",
  notOurs: "the value is not a bucket",
};

const forbidden =
  "Expected the Redis user to have access to the limiter's keys, got NOPERM: grant it `~` followed by the limiter's `keyPrefix` and `*`, or give the limiter a `keyPrefix` that the user can access";

/** Replaces the message from Redis, which contains the address of the other node. */
function movedFailure(): RateLimitError {
  const fix = "write `cluster: [...]` instead of `url` or `sentinels`, or pass a `Cluster` as `client` instead of a `Redis`";
  const cause = Object.assign(new Error(`MOVED to another node of a Redis Cluster: ${fix}`), { name: "ReplyError" });
  return new RateLimitError("BACKEND", `Expected one server to keep all keys, got a node of a Redis Cluster: ${fix}`, { cause });
}

function keyFailure(cause: unknown): RateLimitError {
  return new RateLimitError(
    "BACKEND",
    "Expected the bucket's key in Redis to hold what this library wrote there, got something else: delete the key, or use a keyPrefix that no other program uses",
    { cause, keyOnly: true },
  );
}

/** Returns an error that no error of the client caused. */
export function unusable(message: string): RateLimitError {
  return new RateLimitError("BACKEND", message);
}

/** How ioredis reports that it cannot send a call. These messages only make sense to someone who knows its options. */
const cannotSend = /^(Stream isn't writeable|Cluster isn't ready|Reached the max retries per request limit)/;

/** Copies an error without the failed command, whose arguments may contain a key or a password. */
function withoutCommand(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { name, stack, code, lastNodeError } = error as ClientError;
  const message = cannotSend.test(error.message) ? "Redis is not connected" : error.message;
  const clean = new Error(message, lastNodeError === undefined ? undefined : { cause: withoutCommand(lastNodeError) });
  return Object.assign(clean, { name, stack }, code === undefined ? undefined : { code });
}
