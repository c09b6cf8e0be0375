/**
 * The time of the request that is replayed. It never steps back: servers write a request when it ends but may date it from when it
 * began, so a log is slightly out of order, and a late request counts at the latest time before it.
 */
export class LogClock {
  #now = Number.NEGATIVE_INFINITY;
  #late = 0;
  #mostLateMs = 0;

  /** How many requests were earlier than one before them. */
  get late(): number {
    return this.#late;
  }

  /** By how many ms, at most. */
  get mostLateMs(): number {
    return this.#mostLateMs;
  }

  /** Moves on to a request of time `ms` and returns the time at which it counts. */
  moveTo(ms: number): number {
    if (ms < this.#now) {
      this.#late++;
      this.#mostLateMs = Math.max(this.#mostLateMs, this.#now - ms);
    } else this.#now = ms;
    return this.#now;
  }
}
