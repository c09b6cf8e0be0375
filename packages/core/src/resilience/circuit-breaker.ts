import type { Clock } from "../clock.ts";

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

/**
 * Late answers open the breaker once there are 5 of them, half of all calls, over 500 ms: one lost TCP segment costs 200 ms and must not
 * trip it. Counting starts again after 2 s in which some calls were answered, so that failures that are long past do not add up.
 */
const [enoughFailures, enoughMs, longestMs] = [5, 500, 2000];
/** Between two probes, in ms: this, and up to as much again by chance, so that processes do not probe in step. */
const probeMs = 250;
/**
 * Probes in a row that must be answered before calls are let through: one after an outage without any answer, more if the backend
 * answered now and then. It doubles, up to the last number, if late answers open the breaker again within `relapseMs`. A backend that is
 * late half of the time passes a single probe half of the time, and each time the callers of the next half second would wait for it.
 */
const [afterSilence, afterSomeAnswers, mostProbes, relapseMs] = [1, 4, 8, 10_000];

/** Keeps calls from a backend that does not answer; one probe at a time finds out when it does, and no caller pays for it. */
export class CircuitBreaker {
  readonly #parts: BreakerParts;
  #isOpen = false;
  /** Calls that failed, and that were answered, since the first of these failures was sent. */
  #failures = 0;
  #answers = 0;
  #failingSince = 0;
  #probing = false;
  #probesNeeded = afterSilence;
  #probesAnswered = 0;
  #closedAt = Number.NEGATIVE_INFINITY;
  #stopped = false;
  #cancel: (() => void) | undefined;

  constructor(parts: BreakerParts) {
    this.#parts = parts;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Counts an answer that came in time. */
  good(): void {
    if (this.#failures === 0) return;
    this.#answers++;
    const ms = this.#parts.clock.now() - this.#failingSince;
    if (ms >= longestMs || (ms >= enoughMs && this.#answers > this.#failures)) this.#failures = 0;
  }

  /** Counts a call that was sent at `sentAt` and got no answer in time. */
  failed(failure: Failure, sentAt: number): void {
    if (this.#isOpen || this.#stopped) return;
    if (this.#failures++ === 0) {
      this.#failingSince = sentAt;
      this.#answers = 0;
    }
    if (failure === "certain") this.#open(afterSilence);
    else if (this.#isFailing()) this.#open(this.#needed());
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

  #isFailing(): boolean {
    const ms = this.#parts.clock.now() - this.#failingSince;
    return ms >= enoughMs && this.#failures >= enoughFailures && this.#failures >= this.#answers;
  }

  #needed(): number {
    const probes = this.#answers === 0 ? afterSilence : afterSomeAnswers;
    const isRelapse = this.#parts.clock.now() - this.#closedAt < relapseMs;
    return isRelapse ? Math.min(mostProbes, Math.max(probes, 2 * this.#probesNeeded)) : probes;
  }

  #open(probesNeeded: number): void {
    this.#isOpen = true;
    this.#probesNeeded = probesNeeded;
    this.#probesAnswered = 0;
    this.#probeLater();
  }

  #probeLater(): void {
    this.#cancel = this.#parts.later(() => void this.#probe(), probeMs * (1 + Math.random()));
  }

  async #probe(): Promise<void> {
    this.#probing = true;
    const answered = await this.#parts.probe().then(
      () => true,
      () => false,
    );
    this.#probing = false;
    if (!this.#isOpen) return;
    this.#probesAnswered = answered ? this.#probesAnswered + 1 : 0;
    if (this.#probesAnswered < this.#probesNeeded) return this.#probeLater();
    this.#isOpen = false;
    this.#failures = 0;
    this.#closedAt = this.#parts.clock.now();
    this.#parts.onClose();
  }
}
