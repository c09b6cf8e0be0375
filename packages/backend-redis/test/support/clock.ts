import type { Clock } from "@ratelimit/core";
import type { BackendParts } from "@ratelimit/core/backend";

/** Returns ms since 1970, on the clock that all processes of the machine share. */
export function clock(): number {
  return performance.timeOrigin + performance.now();
}

/** Reads the monotonic clock that all processes of the machine share, in ms. No step of the system clock moves it. */
export function monotonic(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Creates the time of a resilient backend that reads `clock` but has real timers. */
export function timeBy(clock: Clock): NonNullable<BackendParts["time"]> {
  return {
    now: () => clock.now(),
    later(callback, ms) {
      const timer = setTimeout(callback, ms);
      return { cancel: () => clearTimeout(timer), ref: () => void timer.ref(), unref: () => void timer.unref() };
    },
    whenSettled: (callback) => void setImmediate(callback),
    nextTurn: (callback) => void setImmediate(callback),
  };
}
