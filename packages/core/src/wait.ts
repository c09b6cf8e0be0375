import { setTimeout as sleep } from "node:timers/promises";
import { processClock } from "./clock.ts";
import { RateLimitError } from "./errors.ts";
import { RateLimitExceeded } from "./exceeded.ts";
import type { RateLimitResult } from "./result.ts";

/** How long a call may wait, and what else ends its wait. */
export interface Patience {
  /** Milliseconds; `Infinity` for as long as it takes. */
  readonly maxWaitMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** What one `setTimeout` can hold, in ms. */
const longestTimeout = 2 ** 31 - 1;

/** The calls of a limiter that wait: a line for each key, first come, first served. */
export class WaitingLines {
  /** Settles when everybody in the line of a key has left it. */
  readonly #lastOf = new Map<string, Promise<void>>();
  readonly #waiting = new Set<AbortController>();

  /** Resolves when `ask` is admitted, and not before all who came earlier for `key` have left. */
  async join(key: string, ask: () => Promise<RateLimitResult>, { maxWaitMs, signal }: Patience): Promise<RateLimitResult> {
    const leaving = new AbortController();
    const abort = (): void => leaving.abort(signal?.reason);
    // A signal of its own: listeners of many waits on the caller's would look like a leak to Node.
    const heard = signal && AbortSignal.any([signal]);
    const left = new Promise<never>((_, reject) => leaving.signal.addEventListener("abort", () => reject(leaving.signal.reason)));
    const line = this.#enter(key, left);
    heard?.addEventListener("abort", abort);
    this.#waiting.add(leaving);
    const deadline = processClock.now() + maxWaitMs;
    try {
      if (signal?.aborted) abort();
      if (maxWaitMs < Number.POSITIVE_INFINITY) after(maxWaitMs, leaving.signal).then(() => leaving.abort(timedOut(maxWaitMs)), ignore);
      await Promise.race([line.before, left]);
      return await Promise.race([insist(ask, deadline, maxWaitMs, leaving.signal), left]);
    } finally {
      line.leave();
      heard?.removeEventListener("abort", abort);
      this.#waiting.delete(leaving);
      leaving.abort();
    }
  }

  /** Ends every wait with `reason`. */
  close(reason: RateLimitError): void {
    for (const leaving of this.#waiting) leaving.abort(reason);
  }

  #enter(key: string, left: Promise<never>): { before: Promise<void>; leave: () => void } {
    left.catch(ignore);
    const before = this.#lastOf.get(key) ?? Promise.resolve();
    let leave: () => void = ignore;
    const mine = new Promise<void>((resolve) => {
      leave = resolve;
    });
    const last = before.then(() => mine);
    this.#lastOf.set(key, last);
    void last.then(() => this.#lastOf.get(key) === last && this.#lastOf.delete(key));
    return { before, leave };
  }
}

async function insist(
  ask: () => Promise<RateLimitResult>,
  deadline: number,
  maxWaitMs: number,
  signal: AbortSignal,
): Promise<RateLimitResult> {
  for (;;) {
    signal.throwIfAborted();
    const result = await ask();
    if (result.allowed) return result;
    if (result.retryAfter === Number.POSITIVE_INFINITY) throw new RateLimitExceeded(result);
    const retryMs = result.retryAfter * 1000;
    if (processClock.now() + retryMs > deadline) throw timedOut(maxWaitMs);
    await after(retryMs, signal);
  }
}

/** Any number of milliseconds from now. */
async function after(ms: number, signal: AbortSignal): Promise<void> {
  for (let left = ms; left > 0; left -= longestTimeout) await sleep(Math.min(left, longestTimeout), undefined, { signal });
}

function timedOut(maxWaitMs: number): RateLimitError {
  return new RateLimitError(
    "WAIT_TIMEOUT",
    `Not admitted within \`maxWait\` of ${maxWaitMs} ms: wait longer, or use check() and tell the caller`,
  );
}

function ignore(): void {}
