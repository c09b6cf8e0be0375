import { AsyncResource } from "node:async_hooks";
// Not the globals: calls must be given up on time even if a test runner replaced them with timers that never fire.
import { clearTimeout, setImmediate, setTimeout } from "node:timers";
import { type Clock, processClock } from "./clock.ts";

/** The clock and timers used by deadlines, breakers and probes. Tests replace them with ones that they advance by hand. */
export interface Time extends Clock {
  /** Calls back after `ms` milliseconds. The timer keeps the process alive unless it is `unref`ed. */
  later(callback: () => void, ms: number): Timer;
  /**
   * Calls back after the event loop has handled everything that has arrived by now. If the loop was late, answers that came in time are
   * still unread in the socket, and two more turns read them.
   */
  whenSettled(callback: () => void): void;
  /** Calls back in the next turn of the event loop, after it has handled whatever arrived in the meantime. */
  nextTurn(callback: () => void): void;
}

export interface Timer {
  cancel(): void;
  ref(): void;
  unref(): void;
}

/** Timers are set inside this resource, so that they do not keep alive the request that happened to set them. */
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
