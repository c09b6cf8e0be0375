import { AsyncResource } from "node:async_hooks";
import { clearTimeout, setTimeout } from "node:timers";
import type { Clock } from "./clock.ts";

/** How a backend failed: whether no further call would get an answer either is certain at once, or only after a while. */
export type Failure = "certain" | "maybe";

/** What a breaker is told to do, and by whose time. */
export interface BreakerParts {
  readonly clock: Clock;
  /** Tries whether the backend is back: resolves if it is, in time. */
  readonly probe: () => Promise<unknown>;
  readonly onClose: () => void;
  /** Calls back after `ms`; the returned function takes it back. */
  readonly later: (callback: () => void, ms: number) => () => void;
}

/** Failures, and ms without any good answer, before lost time alone opens the breaker: one lost TCP segment costs 200 ms. */
const [enoughFailures, enoughMs] = [5, 500];
/** Between two probes, in ms: this, and up to as much again by chance, so that processes do not probe in step. */
const probeMs = 250;

/** Calls back later, from outside any request, without keeping the process alive. */
const outsideRequests = new AsyncResource("ratelimit");
export function laterUnref(callback: () => void, ms: number): () => void {
  const timer = outsideRequests.runInAsyncScope(() => setTimeout(callback, ms));
  timer.unref();
  return () => clearTimeout(timer);
}

/** Keeps calls from a backend that does not answer; one probe at a time finds out when it does, and no caller pays for it. */
export class Breaker {
  readonly #parts: BreakerParts;
  #isOpen = false;
  #failures = 0;
  #failingSince = 0;
  #probing = false;
  #stopped = false;
  #cancel: (() => void) | undefined;

  constructor(parts: BreakerParts) {
    this.#parts = parts;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** An answer came in time. */
  good(): void {
    this.#failures = 0;
  }

  /** A call that was sent at `sentAt` got no answer. */
  failed(failure: Failure, sentAt: number): void {
    if (this.#isOpen || this.#stopped) return;
    if (this.#failures++ === 0) this.#failingSince = sentAt;
    const longEnough = this.#parts.clock.now() - this.#failingSince >= enoughMs;
    if (failure === "certain" || (this.#failures >= enoughFailures && longEnough)) this.#open();
  }

  /** Probes now instead of later: the connection says it is back. */
  hurry(): void {
    if (!this.#isOpen || this.#probing) return;
    this.#cancel?.();
    void this.#probe();
  }

  /** Stops probing for good. */
  stop(): void {
    this.#cancel?.();
    this.#stopped = true;
    this.#isOpen = false;
  }

  #open(): void {
    this.#isOpen = true;
    this.#probeLater();
  }

  #probeLater(): void {
    this.#cancel = this.#parts.later(() => void this.#probe(), probeMs * (1 + Math.random()));
  }

  async #probe(): Promise<void> {
    this.#probing = true;
    const back = await this.#parts.probe().then(
      () => true,
      () => false,
    );
    this.#probing = false;
    if (!this.#isOpen) return;
    if (!back) return this.#probeLater();
    this.#isOpen = false;
    this.#failures = 0;
    this.#parts.onClose();
  }
}
