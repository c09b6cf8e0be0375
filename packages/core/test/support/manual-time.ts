import type { Time, Timer } from "../../src/time.ts";

interface Due {
  readonly at: number;
  readonly callback: () => void;
}

/** Time that passes only when the test says so. Timers that are due then fire in order, each while the clock shows its time. */
export class ManualTime implements Time {
  #now = 0;
  readonly #due = new Set<Due>();

  now(): number {
    return this.#now;
  }

  later(callback: () => void, ms: number): Timer {
    const due = { at: this.#now + ms, callback };
    this.#due.add(due);
    return { cancel: () => this.#due.delete(due), ref: () => {}, unref: () => {} };
  }

  whenSettled(callback: () => void): void {
    callback();
  }

  nextTurn(callback: () => void): void {
    this.later(callback, 0);
  }

  /** Returns a promise that resolves after `ms` milliseconds. */
  after<T>(ms: number, value: T): Promise<T> {
    return new Promise((resolve) => this.later(() => resolve(value), ms));
  }

  /** Lets `ms` milliseconds pass. Between two timers, all promises settle that need no timer. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settled();
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#due.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.callback();
      await settled();
    }
    this.#now = end;
  }

  #next(end: number): Due | undefined {
    let next: Due | undefined;
    for (const due of this.#due) if (due.at <= end && (next === undefined || due.at < next.at)) next = due;
    return next;
  }
}

/** Resolves when all promises that need no timer have settled. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}
