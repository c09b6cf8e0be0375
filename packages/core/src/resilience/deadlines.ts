import { processTime, type Time, type Timer } from "../time.ts";

/** The longest delay of a timer, in ms. Node fires a longer one immediately. */
const longestTimer = 2 ** 31 - 1;

/** A pending call, linked into a ring by age. Once finished, it is a ring of its own. */
class PendingCall {
  /** The deadline, in ms of the process clock. */
  readonly at: number;
  readonly giveUp: () => void;
  older: PendingCall = this;
  newer: PendingCall = this;

  constructor(at: number, giveUp: () => void) {
    this.at = at;
    this.giveUp = giveUp;
  }
}

/**
 * Gives up calls that take longer than a fixed time, with one timer for all of them.
 *
 * If the event loop was late, answers may have arrived before the timer fired and still be unread in the socket, so two more turns read
 * them first. Without these, half of all calls under stalls of 120 ms were given up although they were answered in time.
 */
export class Deadlines {
  readonly #ms: number;
  readonly #time: Time;
  /**
   * Closes the ring between the newest and the oldest call. A finished call is unlinked at once and refers to no other, because objects
   * that live until their deadline survive young-generation garbage collection. So do the tables that a growing Set leaves behind, which
   * cost a busy process a fifth of its time.
   */
  readonly #ring = new PendingCall(Number.POSITIVE_INFINITY, () => {});
  #timer: Timer | undefined;

  constructor(ms: number, time: Time = processTime) {
    this.#ms = ms;
    this.#time = time;
  }

  /** Starts a deadline: calls `giveUp` unless the returned call is passed to `finish` in time. */
  start(giveUp: () => void): PendingCall {
    const ring = this.#ring;
    const call = new PendingCall(this.#time.now() + this.#ms, giveUp);
    if (ring.newer === ring) this.#timer?.ref();
    call.older = ring.older;
    call.newer = ring;
    call.older.newer = ring.older = call;
    this.#timer ??= this.#arm(this.#ms);
    return call;
  }

  /** Finishes a call. Returns whether it was in time. */
  finish(call: PendingCall): boolean {
    if (call.newer === call) return false;
    call.older.newer = call.newer;
    call.newer.older = call.older;
    call.older = call.newer = call;
    if (this.#ring.newer === this.#ring) this.#timer?.unref();
    return true;
  }

  /** Settles like `ask`, or lets `tooLate` settle it if `ask` takes too long. */
  within<T>(ask: () => Promise<T>, tooLate: (resolve: (value: T) => void, reject: (reason: unknown) => void) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      const call = this.start(() => tooLate(resolve, reject));
      ask().then(
        (value) => this.finish(call) && resolve(value),
        (error: unknown) => this.finish(call) && reject(error),
      );
    });
  }

  /** Gives up every call now, oldest first. */
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
