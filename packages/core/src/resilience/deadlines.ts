import { processTime, type Time, type Timer } from "../time.ts";

/** Node fires a timer of more ms than this at once. */
const longestTimer = 2 ** 31 - 1;

/** A call that is waited for, in a ring by age; out of it, it is a ring of its own. */
class Awaited {
  /** Until when, in ms of the process clock. */
  readonly at: number;
  readonly giveUp: () => void;
  older: Awaited = this;
  newer: Awaited = this;

  constructor(at: number, giveUp: () => void) {
    this.at = at;
    this.giveUp = giveUp;
  }
}

/**
 * Gives up calls that take longer than a fixed time, all by one timer.
 *
 * When the timer fires, answers that had arrived before it may still lie in the socket, because the event loop itself was late:
 * two more turns let them in first. Without these, half of all calls under stalls of 120 ms were given up though answered in time.
 */
export class Deadlines {
  readonly #ms: number;
  readonly #time: Time;
  /**
   * Between its newest and its oldest call. What is finished leaves at once and points at nobody: a call held until its time is over
   * would outlive its garbage collection, and so would what a Set leaves behind when it grows (a fifth of the time of a busy process).
   */
  readonly #ring = new Awaited(Number.POSITIVE_INFINITY, () => {});
  #timer: Timer | undefined;

  constructor(ms: number, time: Time = processTime) {
    this.#ms = ms;
    this.#time = time;
  }

  /** Calls `giveUp` unless the returned call is `finish`ed in time. */
  start(giveUp: () => void): Awaited {
    const ring = this.#ring;
    const call = new Awaited(this.#time.now() + this.#ms, giveUp);
    if (ring.newer === ring) this.#timer?.ref();
    call.older = ring.older;
    call.newer = ring;
    call.older.newer = ring.older = call;
    this.#timer ??= this.#arm(this.#ms);
    return call;
  }

  /** Whether it was in time. */
  finish(call: Awaited): boolean {
    if (call.newer === call) return false;
    call.older.newer = call.newer;
    call.newer.older = call.older;
    call.older = call.newer = call;
    if (this.#ring.newer === this.#ring) this.#timer?.unref();
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

  /** Gives up every call now, the oldest first. */
  giveUpAll(): void {
    this.#giveUp(Number.MAX_VALUE);
  }

  #arm(ms: number): Timer {
    return this.#time.later(() => this.#fire(), Math.min(ms, longestTimer));
  }

  #fire(): void {
    const now = this.#time.now();
    this.#time.whenSettled(() => {
      this.#giveUp(now);
      const oldest = this.#ring.newer;
      this.#timer = oldest === this.#ring ? undefined : this.#arm(Math.max(1, oldest.at - this.#time.now()));
    });
  }

  #giveUp(until: number): void {
    for (let oldest = this.#ring.newer; oldest.at <= until; oldest = this.#ring.newer) {
      this.finish(oldest);
      oldest.giveUp();
    }
  }
}
