import { performance } from "node:perf_hooks";
import { failure } from "./failure.ts";

/** How many ms a call may wait for earlier ones before it fails, because by then it has been decided without Redis. */
const longestWaitMs = 500;

/** Makes calls on a key take turns, for a client that does not keep their order. */
export class KeyOrder {
  /** The last call on each key that has not been answered. */
  readonly #last = new Map<string, Promise<unknown>>();

  /**
   * Sends a call once all earlier calls on its keys have been answered.
   * @throws {RateLimitError} BACKEND if that takes too long.
   */
  run<T>(keys: readonly string[], send: () => Promise<T>): Promise<T> {
    const earlier = keys.flatMap((key) => this.#last.get(key) ?? []);
    const call = earlier.length === 0 ? send() : sendAfter(earlier, send);
    for (const key of keys) this.#last.set(key, call);
    const done = (): void => {
      for (const key of keys) if (this.#last.get(key) === call) this.#last.delete(key);
    };
    call.then(done, done);
    return call;
  }
}

async function sendAfter<T>(earlier: readonly Promise<unknown>[], send: () => Promise<T>): Promise<T> {
  const until = performance.now() + longestWaitMs;
  await Promise.allSettled(earlier);
  if (performance.now() > until) throw failure(new Error("Command timed out"));
  return send();
}
