import type { Time } from "../time.ts";

/**
 * At most 512 calls are started per turn of the event loop, and the rest wait for later turns, so that the first answers are read before
 * the last call is sent. Otherwise 10,000 calls at once would keep the process from reading for longer than the deadline, although Redis
 * answers at once.
 *
 * The counter is reset in the next turn, but that is only scheduled after 128 calls, so that most turns do not pay for it. Up to 128 of
 * the counted calls may therefore be from earlier turns.
 */
const [few, mostPerTurn] = [128, 512];

/** Spreads a burst of calls over several turns of the event loop. */
export class Pace {
  readonly #time: Time;
  #started = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(time: Time) {
    this.#time = time;
  }

  /** Whether this turn has started enough calls, so that another one would have to wait. */
  get isBehind(): boolean {
    return this.#started >= mostPerTurn;
  }

  /** Counts a call that was started. */
  count(): void {
    if (++this.#started === few) this.#time.nextTurn(this.#next);
  }

  /** Starts a call in one of the next turns, first come, first served. */
  wait(start: () => void): void {
    this.#waiting.push(start);
  }

  /** Starts all waiting calls now, no matter how many. */
  startAll(): void {
    for (const start of this.#waiting.splice(0)) start();
  }

  readonly #next = (): void => {
    this.#started = 0;
    let next = 0;
    while (!this.isBehind && next < this.#waiting.length) this.#waiting[next++]?.();
    this.#waiting.splice(0, next);
  };
}
