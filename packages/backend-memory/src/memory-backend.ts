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

/** How much a memory backend keeps, and by which clock. */
export interface MemoryBackendOptions {
  /**
   * Keeps at most so many buckets, over all limiters: a positive integer. At the cap the fullest of a sample is forgotten.
   * @defaultValue 100_000
   */
  maxKeys?: number | undefined;
  /**
   * Makes buckets fill. Pass a `ManualClock` in tests: fake timers never move the clock of the process.
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
 * Keeps buckets in this process, and answers at once.
 *
 * Only buckets that are not full take memory, `maxKeys` of them at the most, and one timer, which keeps no process alive.
 *
 * @throws {RateLimitError} INVALID_OPTION that tells every problem at once.
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

  /** Buckets that are kept now, and how many had to be forgotten because of `maxKeys`. */
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

let shared: MemoryBackend | undefined;

/** The one in-process backend of this process: where policies that are written in place keep their buckets. */
export function sharedMemoryBackend(): MemoryBackend {
  shared ??= new MemoryBackend();
  return shared;
}
