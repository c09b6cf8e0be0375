import { AsyncResource } from "node:async_hooks";
// Not the global ones: a call is given up also where a test runner has replaced them by timers that never fire.
import { setImmediate, setTimeout } from "node:timers";
import { processClock } from "./clock.ts";

/** The one timer does not keep alive the request that happened to set it. */
const outsideRequests = new AsyncResource("ratelimit");

/** Node fires a timer of more ms than this at once. */
const longestTimer = 2 ** 31 - 1;

/** A call that is waited for: until when, in ms of the process clock, and what to do then. */
export interface Awaited {
  readonly at: number;
  readonly giveUp: () => void;
}

/**
 * Gives up calls that take longer than a fixed time, all by one timer.
 *
 * When the timer fires, answers that had arrived before it may still lie in the socket, because the event loop itself was late:
 * two more turns let them in first. Without these, half of all calls under stalls of 120 ms were given up though answered in time.
 */
export class Deadlines {
  readonly #ms: number;
  /** The oldest first. What is finished leaves at once: a call held until its time is over would outlive its garbage collection. */
  readonly #waiting = new Set<Awaited>();
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number) {
    this.#ms = ms;
  }

  /** Calls `giveUp` unless the returned call is `finish`ed in time. */
  start(giveUp: () => void): Awaited {
    const call: Awaited = { at: processClock.now() + this.#ms, giveUp };
    if (this.#waiting.size === 0) this.#timer?.ref();
    this.#waiting.add(call);
    this.#timer ??= this.#arm(this.#ms);
    return call;
  }

  /** Whether it was in time. */
  finish(call: Awaited): boolean {
    if (!this.#waiting.delete(call)) return false;
    if (this.#waiting.size === 0) this.#timer?.unref();
    return true;
  }

  /** Settles as `ask` does, or by `tooLate` where that takes longer. */
  within<T>(ask: () => Promise<T>, tooLate: (resolve: (value: T) => void, reject: (reason: unknown) => void) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      const call = this.start(() => tooLate(resolve, reject));
      ask().then(
        (value) => this.finish(call) && resolve(value),
        (error: unknown) => this.finish(call) && reject(error),
      );
    });
  }

  #arm(ms: number): NodeJS.Timeout {
    return outsideRequests.runInAsyncScope(() => setTimeout(() => this.#fire(), Math.min(ms, longestTimer)));
  }

  #fire(): void {
    const now = processClock.now();
    setImmediate(() => setImmediate(() => this.#expire(now)));
  }

  #expire(now: number): void {
    for (const call of this.#waiting) {
      if (call.at > now) break;
      this.finish(call);
      call.giveUp();
    }
    const [next] = this.#waiting;
    this.#timer = next && this.#arm(Math.max(1, next.at - processClock.now()));
  }
}
