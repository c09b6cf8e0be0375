import { AsyncResource } from "node:async_hooks";
// Not the globals: a sweep scheduled under a test runner's fake timers would never run.
import { clearTimeout, setTimeout } from "node:timers";

/** A table that a sweeper can sweep. */
export interface Swept {
  readonly keys: number;
  /** Examines `looks` buckets and deletes those that are full. Returns whether that ended a pass over all of them. */
  sweep(looks: number): boolean;
}

/** The buckets to examine per turn, then the shortest turn and the bounds of a whole pass, in ms. */
const [batch, shortestTurnMs, shortestPassMs, longestPassMs] = [400, 2, 1000, 60_000];

/** Timers are set inside this resource, so that they do not keep alive the request that happened to set them. */
const outsideRequests = new AsyncResource("ratelimit");

/** Frees the memory of full buckets, a few at a time, on a timer that does not keep the process alive. */
export class Sweeper {
  readonly #swept: Swept;
  #timer: NodeJS.Timeout | undefined;
  #passMs = longestPassMs;
  /** The number of keys when the pass began, so that the pass does not slow down as it empties the table. */
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
