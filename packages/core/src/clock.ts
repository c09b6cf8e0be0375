import { performance } from "node:perf_hooks";
import { RateLimitError } from "./errors.ts";
import { expected } from "./messages.ts";

/** A monotonic clock with any origin. */
export interface Clock {
  /** Returns the time in milliseconds. */
  now(): number;
}

/**
 * Reads the monotonic clock of this process, in milliseconds since its start.
 *
 * Test runners replace the global `performance`, and spies replace its `now`. Neither touches the method on the prototype, so this clock
 * keeps running even if it is first loaded under fake timers. In Bun, the object itself has the method.
 */
export const processClock: Clock = { now: holderOfNow().now.bind(performance) };

function holderOfNow(): Clock {
  const prototype = Object.getPrototypeOf(performance) as Partial<Clock>;
  return prototype.now === undefined ? performance : (prototype as Clock);
}

/** How far Unix time is ahead of the process clock. Cached, because reading a second clock would double the cost of a decision. */
let aheadMs = 0;
let lookedUpAt = Number.NEGATIVE_INFINITY;
const looksGoodMs = 1000;

/** Returns Unix time in ms at a reading of the process clock, or now. It notices a step of the system clock within a second. */
export function unixMs(at: number | undefined): number {
  if (at === undefined) return Date.now();
  if (!(at >= lookedUpAt && at - lookedUpAt < looksGoodMs)) lookUp(at);
  return Math.floor(at + aheadMs);
}

function lookUp(at: number): void {
  aheadMs = Date.now() - at;
  lookedUpAt = at;
}

/**
 * A clock that moves only when you advance it, so that tests of limits are exact and need no sleeps.
 * @throws {RateLimitError} INVALID_OPTION if a time is not a finite number.
 * @example
 * const clock = new ManualClock();
 * const limiter = new RateLimiter({ rate: 1, period: 1, backend: new MemoryBackend({ clock }) });
 * limiter.checkSync("a").allowed; // true
 * limiter.checkSync("a").allowed; // false
 * clock.advance(1000);
 * limiter.checkSync("a").allowed; // true
 */
export class ManualClock implements Clock {
  #now: number;

  constructor(startMs: number = 0) {
    this.#now = finite("startMs", startMs);
  }

  now(): number {
    return this.#now;
  }

  /** Moves the clock by `ms` milliseconds. A negative number steps it back. */
  advance(ms: number): void {
    this.#now += finite("ms", ms);
  }
}

function finite(option: string, value: unknown): number {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw new RateLimitError("INVALID_OPTION", expected(option, "a finite number of milliseconds", value, "pass a number such as 1000"));
}
