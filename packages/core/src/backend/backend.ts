import type { Policy } from "../policy/policy.ts";

/** A value now, or a promise of it. */
export type Awaitable<T> = T | Promise<T>;

/** Whose buckets: made once per limiter, replaced by `update()`. */
export interface KeyScope {
  /** What all keys of the limiter are stored under: `keyPrefix` + name + ":". */
  readonly prefix: string;
  readonly policy: Policy;
}

/** Who decided: the backend, this process on its behalf (deny-cache, lease), or this process because the backend was out (the last three). */
export type DecisionSource = "backend" | "deny-cache" | "lease" | "local" | "open" | "closed";

/** What a backend answers: the state of the bucket after the call. */
export interface BackendReply {
  readonly allowed: boolean;
  /** Units in use after the call: one number where the policy has one limit, otherwise one for each in the policy's order. */
  readonly used: number | readonly number[];
  /** `"backend"` where absent. */
  readonly source?: DecisionSource;
  /** Tokens that the call needed, where that was more than its cost; a limit asks for at most its burst. */
  readonly need?: number;
  /** Processes that the bucket is divided by while each decides alone; 1. */
  readonly instances?: number;
  /** Milliseconds that the key stays blocked, whatever its limits allow; absent if it is not blocked. */
  readonly blockedMs?: number;
  /** By `adjust`: whole tokens beyond the debt of one burst, the largest over the limits. */
  readonly uncharged?: number;
  /** The backend's reading of the process clock (`performance.now()`), in ms, where it took one: spares another. */
  readonly at?: number | undefined;
}

/**
 * Keeps the buckets. The arithmetic is the bucket's; a backend owns the clock and makes time pass.
 *
 * Each call must be atomic per key over all processes that share the backend. A key is any non-empty string of at most
 * 1,024 UTF-16 units; an absent bucket is a full one. A failure is a rejection with `RateLimitError` BACKEND, never a guess.
 */
export interface Backend {
  /** True where the buckets are this process's own; otherwise processes share them, by name. */
  readonly inProcess?: true;
  /** Takes `cost` tokens from every limit of the policy, or from none; 0 only looks and writes nothing. */
  take(scope: KeyScope, key: string, cost: number): Awaitable<BackendReply>;
  /** Gives back (`tokens` < 0) or charges whatever is left (> 0), down to a debt of one burst. */
  adjust(scope: KeyScope, key: string, tokens: number): Awaitable<BackendReply>;
  /** Refuses every call with a cost for the next `ms` milliseconds, at least; `reset` lifts it. */
  block(scope: KeyScope, key: string, ms: number): Awaitable<void>;
  /** Forgets the bucket and lifts its block: the next call finds it full. */
  reset(scope: KeyScope, key: string): Awaitable<void>;
  /** Gives up what the backend holds; a second call does nothing. */
  close(): Awaitable<void>;
}

/** A backend that answers at once: `checkSync` asks for one. */
export interface SyncBackend extends Backend {
  take(scope: KeyScope, key: string, cost: number): BackendReply;
  adjust(scope: KeyScope, key: string, tokens: number): BackendReply;
  block(scope: KeyScope, key: string, ms: number): void;
  reset(scope: KeyScope, key: string): void;
  close(): void;
}

const methods = ["take", "adjust", "block", "reset", "close"] as const;

/** The methods that `value` lacks to be a backend. */
export function missingMethods(value: unknown): string[] {
  return methods.filter((method) => typeof (value as Partial<Backend> | null | undefined)?.[method] !== "function");
}

/** Whether a backend answered a call as the policy wants it: with yes or no, and the units in use of every limit. */
export function isTake(answer: unknown, { limits }: Policy): answer is BackendReply {
  const { allowed, used } = (answer ?? {}) as Partial<BackendReply>;
  if (typeof allowed !== "boolean") return false;
  if (typeof used === "number") return limits.length === 1 && used >= 0 && used < Number.POSITIVE_INFINITY;
  return Array.isArray(used) && used.length === limits.length && used.every((units) => Number.isFinite(units) && units >= 0);
}

/** Whether a backend has answered already. By a field that V8 knows the place of: `isPromise` is asked of everything, and has to search. */
export function isAnswered(answer: Awaitable<BackendReply>): answer is BackendReply {
  return (answer as Partial<BackendReply>).allowed !== undefined;
}

/** Whether an answer has to be waited for. */
export function isPromise<T>(answer: Awaitable<T>): answer is Promise<T> {
  return typeof (answer as Partial<Promise<T>> | null | undefined)?.then === "function";
}
