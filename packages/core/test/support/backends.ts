import { type Backend, type Clock, ManualClock, type SyncBackend } from "@ratelimit/core";
import { type Awaitable, type BackendReply, BucketTable, type KeyScope } from "@ratelimit/core/backend";

/** Creates a backend that keeps buckets in this process. Without a clock, its time stands still. */
export function tableBackend(clock: Clock = new ManualClock()): SyncBackend {
  return new BucketTable(10_000, clock);
}

/** A backend that answers a turn later, and records the calls it gets. */
export class LateBackend implements Backend {
  readonly inProcess = true;
  readonly asked: string[] = [];
  readonly #backend: Backend;

  constructor(backend: Backend = tableBackend()) {
    this.#backend = backend;
  }

  take(scope: KeyScope, key: string, cost: number): Promise<BackendReply> {
    return this.#later(`take ${cost}`, () => this.#backend.take(scope, key, cost));
  }

  adjust(scope: KeyScope, key: string, tokens: number): Promise<BackendReply> {
    return this.#later(`adjust ${tokens}`, () => this.#backend.adjust(scope, key, tokens));
  }

  block(scope: KeyScope, key: string, ms: number): Promise<void> {
    return this.#later(`block ${ms}`, () => this.#backend.block(scope, key, ms));
  }

  reset(scope: KeyScope, key: string): Promise<void> {
    return this.#later("reset", () => this.#backend.reset(scope, key));
  }

  async close(): Promise<void> {
    await this.#backend.close();
  }

  async #later<T>(call: string, answer: () => Awaitable<T>): Promise<T> {
    this.asked.push(call);
    await Promise.resolve();
    return answer();
  }
}
