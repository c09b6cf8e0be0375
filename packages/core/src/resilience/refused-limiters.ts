import type { Clock } from "../clock.ts";
import { type OutageEvent, type OutageMode, OutageReporter } from "./outage-reporter.ts";

/** The most refused limiters to remember, so that a process that keeps creating limiters does not leak memory. */
const most = 1000;

/**
 * Reports the limiters that a server refuses while it serves others, such as one whose keys its user may not touch.
 *
 * It has a reporter of its own, because a limiter can stay refused while the server goes out and comes back.
 */
export class RefusedLimiters {
  readonly #reporter: OutageReporter;
  /** Each entry is a server's name followed by a limiter's prefix. */
  readonly #refused = new Set<string>();

  constructor(source: OutageMode, onOutage: ((event: OutageEvent) => void) | undefined, clock: Clock) {
    this.#reporter = new OutageReporter(source, onOutage, clock);
  }

  /** Whether no limiter is refused, so that answers need no look-up. */
  get isEmpty(): boolean {
    return this.#refused.size === 0;
  }

  /** Reports a call that was refused because of its limiter. */
  refused(server: string, prefix: string, reason: string): void {
    if (this.#refused.size < most) this.#refused.add(`${server} ${prefix}`);
    this.#reporter.failed("limiter", { reason, prefix });
  }

  /** Notes a call that was answered, and reports the recovery once no limiter is refused anymore. */
  served(server: string, prefix: string): void {
    if (this.#refused.delete(`${server} ${prefix}`) && this.#refused.size === 0) this.#reporter.recovered();
  }
}
