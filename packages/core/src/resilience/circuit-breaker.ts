import type { Clock } from "../clock.ts";

/** How a backend failed. After a `"certain"` failure further calls would fail too; after a `"maybe"` it takes several to be sure. */
export type Failure = "certain" | "maybe";

/** What a breaker needs from its owner. */
export interface BreakerParts {
  readonly clock: Clock;
  /** Checks whether the backend is back. Resolves if it answers in time, and rejects otherwise. */
  readonly probe: () => Promise<unknown>;
  readonly onClose: () => void;
  /** Called when the breaker has opened or closed, and when a failed probe keeps it open. */
  readonly onState: (isOpen: boolean) => void;
  /** Calls back after `ms` milliseconds. The returned function cancels that. */
  readonly later: (callback: () => void, ms: number) => () => void;
}

/**
 * The breaker opens after 5 timeouts over 500 ms, if they are at least half of all calls: one lost TCP segment costs 200 ms and must not
 * trip it. The count restarts after 2 s if calls are being answered, so that old failures do not add up.
 */
const [enoughFailures, enoughMs, longestMs] = [5, 500, 2000];
/** The minimum time between probes, in ms. A random delay of up to as much again keeps processes from probing in step. */
const probeMs = 250;
/**
 * How many probes in a row must succeed before calls go through, after an outage without any answer and after one with some. The number
 * doubles, up to `most`, each time late answers open the breaker again within `relapseMs`. A backend that is late half of the time passes a
 * single probe half of the time, and each time the callers of the next half second would wait for it.
 */
const [afterSilence, afterSomeAnswers] = [
  { first: 1, most: 2 },
  { first: 4, most: 8 },
];
const relapseMs = 10_000;

/** Stops calls to a backend that does not answer. Probes, one at a time, find out when it is back, so that no caller has to wait for it. */
export class CircuitBreaker {
  readonly #parts: BreakerParts;
  #isOpen = false;
  /** Failed calls, and answered ones, since the first of these failed calls was sent. */
  #failures = 0;
  #answers = 0;
  #failingSince = 0;
  #probing = false;
  #probesNeeded = afterSilence.first;
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

  /** Counts a call that was sent at `sentAt` and failed. */
  failed(failure: Failure, sentAt: number): void {
    if (this.#isOpen || this.#stopped) return;
    if (this.#failures++ === 0) {
      this.#failingSince = sentAt;
      this.#answers = 0;
    }
    if (failure === "certain") this.#open(afterSilence.first);
    else if (this.#isFailing()) this.#open(this.#needed());
  }

  /** Probes now instead of later, because the connection is back. */
  hurry(): void {
    if (!this.#isOpen || this.#probing) return;
    this.#cancel?.();
    void this.#probe();
  }

  /** Stops probing for good. */
  stop(): void {
    this.#cancel?.();
    this.#stopped = true;
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#parts.onState(false);
  }

  #isFailing(): boolean {
    const ms = this.#parts.clock.now() - this.#failingSince;
    return ms >= enoughMs && this.#failures >= enoughFailures && this.#failures >= this.#answers;
  }

  #needed(): number {
    const { first, most } = this.#answers === 0 ? afterSilence : afterSomeAnswers;
    const isRelapse = this.#parts.clock.now() - this.#closedAt < relapseMs;
    return isRelapse ? Math.min(most, Math.max(first, 2 * this.#probesNeeded)) : first;
  }

  #open(probesNeeded: number): void {
    this.#isOpen = true;
    this.#probesNeeded = probesNeeded;
    this.#probesAnswered = 0;
    this.#parts.onState(true);
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
    if (!answered) this.#parts.onState(true);
    if (this.#probesAnswered < this.#probesNeeded) return this.#probeLater();
    this.#isOpen = false;
    this.#failures = 0;
    this.#closedAt = this.#parts.clock.now();
    this.#parts.onState(false);
    this.#parts.onClose();
  }
}
