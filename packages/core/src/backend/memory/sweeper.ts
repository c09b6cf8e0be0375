import { AsyncResource } from "node:async_hooks";
// Not the global ones: a sweep set up under a test runner's fake timers would never come.
import { clearTimeout, setTimeout } from "node:timers";

/** What a sweeper sweeps. */
export interface Swept {
  readonly keys: number;
  /** Looks at so many buckets and forgets those that are full; returns whether that ended a pass over all of them. */
  sweep(looks: number): boolean;
}

/** Buckets that one turn looks at, the shortest turn, and the bounds of a whole pass, in ms. */
const [batch, shortestTurnMs, shortestPassMs, longestPassMs] = [400, 2, 1000, 60_000];

/** Timers made in here do not keep the request alive that happened to make them. */
const outsideRequests = new AsyncResource("ratelimit");

/** Gives memory back in small turns of one timer, which keeps no process alive. */
export class Sweeper {
  readonly #swept: Swept;
  #timer: NodeJS.Timeout | undefined;
  #passMs = longestPassMs;
  /** Keys when the pass began: it keeps its pace while it empties the table. */
  #passKeys = 0;

  constructor(swept: Swept) {
    this.#swept = swept;
  }

  get isRunning(): boolean {
    return this.#timer !== undefined;
  }

  /** Starts sweeping at a pace that frees a bucket within twice the time it takes to fill. */
  start(fillMs: number): void {
    this.#passMs = Math.min(longestPassMs, Math.max(shortestPassMs, fillMs / 2));
    outsideRequests.runInAsyncScope(() => this.#schedule());
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #schedule(): void {
    const keys = Math.max(this.#passKeys, this.#swept.keys);
    const turnMs = Math.max(shortestTurnMs, (this.#passMs * batch) / Math.max(batch, keys));
    const looks = Math.max(batch, Math.ceil((keys * turnMs) / this.#passMs));
    this.#timer = setTimeout(() => this.#turn(looks), turnMs);
    this.#timer.unref();
  }

  #turn(looks: number): void {
    if (this.#swept.sweep(Math.min(looks, this.#swept.keys))) this.#passKeys = this.#swept.keys;
    this.#timer = undefined;
    if (this.#swept.keys > 0) this.#schedule();
  }
}
