import {
  type BackendReply,
  BucketTable,
  type Clock,
  checkOptions,
  type KeyScope,
  type Rules,
  rule,
  type SyncBackend,
} from "@ratelimit/core/backend";

/** Options of a memory backend. */
export interface MemoryBackendOptions {
  /**
   * The most buckets to keep across all limiters, as a positive integer. At the cap, the fullest bucket of a sample is evicted.
   * @defaultValue 100_000
   */
  maxKeys?: number | undefined;
  /**
   * The clock by which buckets fill. Pass a `ManualClock` in tests, because fake timers do not move the clock of the process.
   * @defaultValue the monotonic clock of the process
   */
  clock?: Clock | undefined;
}

const rules: Rules = {
  maxKeys: { ...rule.positiveInteger, hint: "leave it out for 100,000" },
  clock: {
    expects: "a clock with now()",
    accepts: (value) => typeof (value as Partial<Clock> | null)?.now === "function",
    hint: "leave it out, or write clock: new ManualClock()",
  },
};

/**
 * Keeps buckets in this process and decides synchronously.
 *
 * Only buckets that are not full take memory, at most `maxKeys` of them. One timer frees the full ones and never keeps the process alive.
 *
 * @throws {RateLimitError} INVALID_OPTION, which lists every problem.
 * @example
 * const limiter = new RateLimiter({ rate: 100, period: 60, backend: new MemoryBackend() });
 * limiter.checkSync("user:123").allowed; // true
 */
export class MemoryBackend implements SyncBackend {
  readonly inProcess = true;
  readonly #table: BucketTable;

  constructor(options: MemoryBackendOptions = {}) {
    checkOptions("options", options, rules);
    const { maxKeys = 100_000, clock } = options;
    this.#table = new BucketTable(maxKeys, clock);
  }

  /** How many buckets are kept now, and how many were evicted because of `maxKeys`. */
  get stats(): { readonly keys: number; readonly evictions: number } {
    const { keys, evictions } = this.#table;
    return { keys, evictions };
  }

  take(scope: KeyScope, key: string, cost: number): BackendReply {
    return this.#table.take(scope, key, cost);
  }

  adjust(scope: KeyScope, key: string, tokens: number): BackendReply {
    return this.#table.adjust(scope, key, tokens);
  }

  block(scope: KeyScope, key: string, ms: number): void {
    this.#table.block(scope, key, ms);
  }

  reset(scope: KeyScope, key: string): void {
    this.#table.reset(scope, key);
  }

  close(): void {
    this.#table.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }
}

/** Other copies of this package find the backend under this symbol too. Raise the number when `KeyScope` or the calls change. */
const sharedSlot = Symbol.for("@ratelimit/backend-memory/shared 1");

/**
 * Returns the backend that this process shares. Limiters created from inline policies keep their buckets in it.
 *
 * There is one per process, even if the process has loaded both the ES modules and the CommonJS build of this package.
 */
export function sharedMemoryBackend(): MemoryBackend {
  const process = globalThis as { [sharedSlot]?: MemoryBackend };
  process[sharedSlot] ??= new MemoryBackend();
  return process[sharedSlot];
}
