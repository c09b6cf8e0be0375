import type { Backend, Clock, SyncBackend } from "@ratelimit/core";
import { type BackendReply, BucketTable, type KeyScope } from "@ratelimit/core/backend";

/** Core's own table as a backend that records the keys it is asked for. */
export class TableBackend implements SyncBackend {
  readonly inProcess = true;
  /** The keys of all takes so far, in order. */
  readonly asked: string[] = [];
  readonly #clock: Clock;
  #table: BucketTable;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#table = this.#empty();
  }

  /** Forgets all buckets and recorded keys. */
  clear(): void {
    this.close();
    this.#table = this.#empty();
    this.asked.length = 0;
  }

  take(scope: KeyScope, key: string, cost: number): BackendReply {
    this.asked.push(key);
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

  #empty(): BucketTable {
    return new BucketTable(100_000, this.#clock);
  }
}

/** Wraps a backend so that it answers asynchronously: after `until` resolves, by default on the next turn of the event loop. */
export function asynchronous(backend: SyncBackend, until: () => Promise<unknown> = nextTurn): Backend {
  return {
    inProcess: true,
    async take(scope, key, cost) {
      await until();
      return backend.take(scope, key, cost);
    },
    async adjust(scope, key, tokens) {
      await until();
      return backend.adjust(scope, key, tokens);
    },
    async block(scope, key, ms) {
      await until();
      backend.block(scope, key, ms);
    },
    async reset(scope, key) {
      await until();
      backend.reset(scope, key);
    },
    async close() {},
  };
}

/** Creates a backend that answers every take and adjustment with `take()`. */
export function answering(take: () => BackendReply | Promise<BackendReply>): Backend {
  return { take, adjust: take, block() {}, reset() {}, close() {} };
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
