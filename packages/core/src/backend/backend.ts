import type { Policy } from "../policy/policy.ts";

/** A value now, or a promise of it. */
export type Awaitable<T> = T | Promise<T>;

/** Identifies a limiter's buckets and the policy that counts them. A limiter replaces its scope on `update()`. */
export interface KeyScope {
  /** The prefix of all stored keys of the limiter: `keyPrefix` + name + ":". */
  readonly prefix: string;
  readonly policy: Policy;
}

/**
 * What made a decision: the backend, this process on the backend's behalf (`"deny-cache"`, `"lease"`), or this process because the backend
 * was out (`"local"`, `"open"`, `"closed"`).
 */
export type DecisionSource = "backend" | "deny-cache" | "lease" | "local" | "open" | "closed";

/** A backend's reply: the decision, and the state of the bucket after the call. */
export interface BackendReply {
  readonly allowed: boolean;
  /** Units in use after the call: a number if the policy has one limit, otherwise an array in the policy's order. */
  readonly used: number | readonly number[];
  /**
   * What made the decision.
   * @defaultValue `"backend"`
   */
  readonly source?: DecisionSource;
  /** Tokens that the call needed, if that was more than its cost. A limit never needs more than its burst. */
  readonly need?: number;
  /**
   * The number of processes that split the bucket while each decides alone.
   * @defaultValue 1
   */
  readonly instances?: number;
  /** Milliseconds that the key stays blocked, even if tokens are left; absent if it is not blocked. */
  readonly blockedMs?: number;
  /** From `adjust`: whole tokens that exceeded the debt of one burst, the largest such number over all limits. */
  readonly uncharged?: number;
  /** The process clock (`performance.now()`, in ms) as the backend read it, if it did. Saves reading the clock again. */
  readonly at?: number | undefined;
}

/**
 * Stores the buckets and owns the clock. The bucket arithmetic is not part of it.
 *
 * Each call must be atomic per key across all processes that share the backend. A key is any non-empty string of at most
 * 1,024 UTF-16 units, and a missing bucket is a full one. A backend that fails must reject with `RateLimitError` BACKEND and never guess.
 */
export interface Backend {
  /** True if the buckets belong to this process. Otherwise processes share them by name. */
  readonly inProcess?: true;
  /** Takes `cost` tokens from every limit of the policy, or from none. A cost of 0 only reads. */
  take(scope: KeyScope, key: string, cost: number): Awaitable<BackendReply>;
  /** Charges tokens (`tokens` > 0), even if fewer are left, down to a debt of one burst; or gives them back (< 0). */
  adjust(scope: KeyScope, key: string, tokens: number): Awaitable<BackendReply>;
  /** Refuses every call with a cost above 0 for at least the next `ms` milliseconds. `reset` lifts the block. */
  block(scope: KeyScope, key: string, ms: number): Awaitable<void>;
  /** Deletes the bucket and lifts its block, so that the next call finds it full. */
  reset(scope: KeyScope, key: string): Awaitable<void>;
  /** Releases the backend's resources. A second call does nothing. */
  close(): Awaitable<void>;
}

/** A backend that returns values rather than promises. `checkSync` needs one. */
export interface SyncBackend extends Backend {
  take(scope: KeyScope, key: string, cost: number): BackendReply;
  adjust(scope: KeyScope, key: string, tokens: number): BackendReply;
  block(scope: KeyScope, key: string, ms: number): void;
  reset(scope: KeyScope, key: string): void;
  close(): void;
}

const methods = ["take", "adjust", "block", "reset", "close"] as const;

/** The backend methods that `value` does not have. */
export function missingMethods(value: unknown): string[] {
  return methods.filter((method) => typeof (value as Partial<Backend> | null | undefined)?.[method] !== "function");
}

/** Whether a backend's answer is valid for the policy: a yes or no, and the units in use of every limit. */
export function isTake(answer: unknown, { limits }: Policy): answer is BackendReply {
  const { allowed, used } = (answer ?? {}) as Partial<BackendReply>;
  if (typeof allowed !== "boolean") return false;
  if (typeof used === "number") return limits.length === 1 && used >= 0 && used < Number.POSITIVE_INFINITY;
  return Array.isArray(used) && used.length === limits.length && used.every((units) => Number.isFinite(units) && units >= 0);
}

/** Whether a backend has answered already. Faster than `isPromise`: it reads a field at an offset that V8 knows and need not search for. */
export function isAnswered(answer: Awaitable<BackendReply>): answer is BackendReply {
  return (answer as Partial<BackendReply>).allowed !== undefined;
}

/** Whether an answer must be awaited. */
export function isPromise<T>(answer: Awaitable<T>): answer is Promise<T> {
  return typeof (answer as Partial<Promise<T>> | null | undefined)?.then === "function";
}
