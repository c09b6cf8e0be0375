import { type OutageClass, RateLimitError } from "@ratelimit/core/backend";
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

/** Error replies of Redis and Valkey, and of proxies that word them differently. */
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

/** Whether Redis answered that another node has the key. A Cluster client follows that; a plain one does not know about other nodes. */
export function isMoved(error: unknown): boolean {
  return answered(error, "moved");
}

/** Whether Redis refused a call because its user has no right to one of the keys. It has executed nothing. */
export function isForbiddenKey(error: unknown): boolean {
  return answered(error, "forbiddenKey");
}

/** Whether the client gave up a call after its own `commandTimeout`. */
export function isCommandTimeout(error: unknown): boolean {
  return error instanceof Error && error.message === "Command timed out";
}

/** Returns the error for the caller of a call that failed, with the way to fix it if the cause is a known one. */
export function failure(error: unknown): RateLimitError {
  const cause = withoutCommand(error);
  if (isMoved(error)) return movedFailure();
  return new RateLimitError("BACKEND", isForbiddenKey(error) ? forbidden : "Expected Redis to decide, got an error: its cause says why", {
    cause,
  });
}

/** The error of a key that does not hold a bucket. */
export function faultOf(fault: KeyFault): RateLimitError {
  return keyFailure(new Error(faults[fault]));
}

/** Says what failed, from the error that callers get. */
export function classOf(error: unknown): OutageClass {
  const cause = error instanceof Error ? error.cause : undefined;
  if (isCommandTimeout(cause)) return "timeout";
  if (isForbiddenKey(cause)) return "limiter";
  // Only keys of other nodes are out of reach. The server decides its own keys, so its breaker must stay closed.
  if (isMoved(cause)) return "key";
  return isReply(cause) ? "server" : "connection";
}

const faults: Readonly<Record<KeyFault, string>> = {
  wrongType: "WRONGTYPE the key is of another type",
  neverExpires: "the key has no expiry",
  notOurs: "the value is not a bucket",
};

const forbidden =
  "Expected the Redis user to have a right to the limiter's keys, got NOPERM: grant it `~` followed by the limiter's `keyPrefix` and `*`, or give the limiter a `keyPrefix` that the user has a right to";

/** Leaves out Redis' own message, which contains the address of the other node. */
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
