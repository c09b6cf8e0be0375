import type { Time } from "../time.ts";

/**
 * Calls that are started in one turn of the event loop at the most. Of more, the rest waits for the next turns, so that the answers to the
 * first are read before the last is sent. Ten thousand calls at once would otherwise keep the process from reading for longer than the
 * deadline, though Redis answers at once.
 *
 * Only after `few` of them the end of the turn is asked for, so that most turns do not pay for it. So what is counted may be up to `few`
 * calls of earlier turns.
 */
const [few, mostPerTurn] = [128, 512];

/** Cuts what is called in one turn of the event loop into pieces. */
export class Pace {
  readonly #time: Time;
  #started = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(time: Time) {
    this.#time = time;
  }

  /** Whether a call would have to wait: this turn had enough of them. */
  get isBehind(): boolean {
    return this.#started >= mostPerTurn;
  }

  /** Counts a call that was started. */
  count(): void {
    if (++this.#started === few) this.#time.nextTurn(this.#next);
  }

  /** Starts a call in one of the next turns, in the order in which they came. */
  wait(start: () => void): void {
    this.#waiting.push(start);
  }

  /** Starts everything that waits, however much it is. */
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
