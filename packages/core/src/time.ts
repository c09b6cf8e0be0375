import { AsyncResource } from "node:async_hooks";
// Not the global ones: calls are given up on time even if a test runner has replaced those by timers that never fire.
import { clearTimeout, setImmediate, setTimeout } from "node:timers";
import { type Clock, processClock } from "./clock.ts";

/** The clock and the timers that deadlines, breakers and probes run by: tests put in one that they move by hand. */
export interface Time extends Clock {
  /** Calls back after `ms` milliseconds. The timer keeps the process alive unless it is `unref`ed. */
  later(callback: () => void, ms: number): Timer;
  /**
   * Calls back when the event loop has handled what had arrived by now. If the loop itself was late, answers that came in time still lie
   * in the socket. Two more turns let them in.
   */
  whenSettled(callback: () => void): void;
  /** Calls back in the next turn of the event loop, after it has handled what arrived meanwhile. */
  nextTurn(callback: () => void): void;
}

export interface Timer {
  cancel(): void;
  ref(): void;
  unref(): void;
}

/** A timer set inside this resource does not keep alive the request that happened to set it. */
const outsideRequests = new AsyncResource("ratelimit");

export const processTime: Time = {
  now: () => processClock.now(),
  later(callback, ms) {
    const timer = outsideRequests.runInAsyncScope(() => setTimeout(callback, ms));
    return { cancel: () => clearTimeout(timer), ref: () => void timer.ref(), unref: () => void timer.unref() };
  },
  whenSettled: (callback) => void setImmediate(() => setImmediate(callback)),
  nextTurn: (callback) => void outsideRequests.runInAsyncScope(() => setImmediate(callback)),
};
