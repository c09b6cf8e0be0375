import { AsyncResource } from "node:async_hooks";
// Not the global ones: a wait ends even if a test runner has replaced them by timers that never fire.
import { clearTimeout, setTimeout } from "node:timers";
import type { Awaitable } from "../backend/backend.ts";
import { processClock } from "../clock.ts";
import type { RateLimitResult } from "../decision/result.ts";
import { RateLimitError } from "../errors.ts";
import { onAbort } from "./abort.ts";

/** A call that waits for tokens, and what may end its wait early. */
export interface WaitingCall {
  /** The limiter that was called: closing it ends its own waits and no others. */
  readonly owner: object;
  readonly cost: number;
  /** Milliseconds; `Infinity` to wait for as long as it takes. */
  readonly maxWaitMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Takes the tokens, or answers when they will be there. */
  readonly take: () => Awaitable<RateLimitResult>;
  /** Gives back the tokens of a call that has left before it learned that they were taken. */
  readonly giveBack: () => Awaitable<unknown>;
}

/**
 * A call in a line. Its looks run in the async context of the call itself, not in that of whoever left the line before it, so that
 * traces show them where they belong.
 */
export class Waiter extends AsyncResource {
  readonly call: WaitingCall;
  readonly result: Promise<RateLimitResult>;
  /** Settles `result`. */
  admit!: (result: RateLimitResult) => void;
  reject!: (reason: unknown) => void;
  /** When `maxWait` is over, in ms of the process clock. */
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

  /** Calls `giveUp` if the call's time is over or its signal is aborted before it leaves. */
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

/** What one `setTimeout` can hold, in ms. */
const longestTimeout = 2 ** 31 - 1;

/** Calls back after any number of milliseconds; the returned function takes that back. */
function after(ms: number, callback: () => void): () => void {
  let timer: NodeJS.Timeout;
  const arm = (left: number): void => {
    timer = setTimeout(() => (left > longestTimeout ? arm(left - longestTimeout) : callback()), Math.min(left, longestTimeout));
  };
  arm(ms);
  return () => clearTimeout(timer);
}
