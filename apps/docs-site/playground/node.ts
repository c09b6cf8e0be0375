/**
 * What core imports from Node, for the playground: core runs in the browser as it is, and only these names behind its imports differ.
 * What is a stand-in here does nothing that a single page could notice.
 */

/** Requests have no context in a browser, so there is none to leave. */
export class AsyncResource {
  runInAsyncScope<Result>(run: () => Result): Result {
    return run();
  }
}

/** Nobody can listen to the channels. */
export function channel(): { readonly hasSubscribers: false } {
  return { hasSubscribers: false };
}

export const performance: Performance = globalThis.performance;

interface Timer {
  readonly id: number;
  ref(): Timer;
  unref(): Timer;
}

/** A timer never keeps a page open. */
export function setTimeout(callback: () => void, ms: number): Timer {
  const timer = { id: window.setTimeout(callback, ms), ref: () => timer, unref: () => timer };
  return timer;
}

export function clearTimeout(timer: Timer | undefined): void {
  window.clearTimeout(timer?.id);
}

export function setImmediate(callback: () => void): Timer {
  return setTimeout(callback, 0);
}

/** An address is not a number here: the playground has one client. */
export function isIP(): 0 {
  return 0;
}

export function isIPv6(): false {
  return false;
}

export class BlockList {}
