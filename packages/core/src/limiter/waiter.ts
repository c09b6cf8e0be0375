import { AsyncResource } from "node:async_hooks";
// Not the globals: a wait must end even if a test runner replaced them with timers that never fire.
import { clearTimeout, setTimeout } from "node:timers";
import type { Awaitable } from "../backend/backend.ts";
import { processClock } from "../clock.ts";
import type { RateLimitResult } from "../decision/result.ts";
import { RateLimitError } from "../errors.ts";
import { onAbort } from "./abort.ts";

/** A call that waits for tokens, and what may end its wait early. */
export interface WaitingCall {
  /** The limiter that was called. Closing it ends only its own waits. */
  readonly owner: object;
  readonly cost: number;
  /** The longest wait in milliseconds; `Infinity` for no bound. */
  readonly maxWaitMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Takes the tokens, or returns a refusal that shows when they will be available. */
  readonly take: () => Awaitable<RateLimitResult>;
  /** Gives back the tokens if the call left the line before it learned that they were taken. */
  readonly giveBack: () => Awaitable<unknown>;
}

/**
 * A call in a waiting line. Its attempts run in its own async context, not in that of the call that left the line before it, so that
 * traces attribute them correctly.
 */
export class Waiter extends AsyncResource {
  readonly call: WaitingCall;
  readonly result: Promise<RateLimitResult>;
  /** Settles `result`. */
  admit!: (result: RateLimitResult) => void;
  reject!: (reason: unknown) => void;
  /** When `maxWait` ends, in ms of the process clock. */
  readonly deadline: number;
  hasLeft = false;
  ahead: Waiter | undefined;
  behind: Waiter | undefined;
  #stopTimer: (() => void) | undefined;
  #stopListening: (() => void) | undefined;
  #endPause: (() => void) | undefined;

  constructor(call: WaitingCall) {
    super("ratelimit wait", { requireManualDestroy: true });
    this.call = call;
    this.deadline = processClock.now() + call.maxWaitMs;
    this.result = new Promise((admit, reject) => {
      this.admit = admit;
      this.reject = reject;
    });
  }

  /** Calls `giveUp` if `maxWait` ends or the signal is aborted before the call leaves the line. */
  watch(giveUp: (reason: unknown) => void): void {
    const { maxWaitMs, signal } = this.call;
    if (maxWaitMs < Number.POSITIVE_INFINITY) this.#stopTimer = after(maxWaitMs, () => giveUp(this.timedOut()));
    if (signal !== undefined) this.#stopListening = onAbort(signal, () => giveUp(signal.reason));
  }

  timedOut(): RateLimitError {
    return new RateLimitError(
      "WAIT_TIMEOUT",
      `Not admitted within \`maxWait\` of ${this.call.maxWaitMs} ms: wait longer, or use check() and answer the caller at once`,
    );
  }

  leave(): void {
    this.hasLeft = true;
    this.#stopTimer?.();
    this.#stopListening?.();
    this.wake();
  }

  /** Resolves after `ms`, or as soon as the waiter is woken. */
  pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.wake(), ms);
      this.#endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  wake(): void {
    this.#endPause?.();
    this.#endPause = undefined;
  }
}

/** The longest delay that `setTimeout` supports, in ms. */
const longestTimeout = 2 ** 31 - 1;

/** Calls back after any number of milliseconds. The returned function cancels that. */
function after(ms: number, callback: () => void): () => void {
  let timer: NodeJS.Timeout;
  const arm = (left: number): void => {
    timer = setTimeout(() => (left > longestTimeout ? arm(left - longestTimeout) : callback()), Math.min(left, longestTimeout));
  };
  arm(ms);
  return () => clearTimeout(timer);
}
