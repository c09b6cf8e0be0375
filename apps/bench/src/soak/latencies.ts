import { createHistogram } from "node:perf_hooks";
import type { Span } from "./stalls.ts";

/** A call that took longer than promised, unless its processes did not run meanwhile. */
export interface SlowCall extends Span {
  /** The index of the server that was called. */
  readonly server: number;
}

/** The figures of the calls of some time. */
export interface Figures {
  readonly calls: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly longestMs: number;
  /** The longest that took no longer than promised. */
  readonly longestInTimeMs: number;
  /** The others. At most 1000. */
  readonly slow: readonly SlowCall[];
}

const mostSlow = 1000;

/** Collects how long calls took, in bounded memory. */
export class Latencies {
  readonly #slowFromMs: number;
  readonly #histogram = createHistogram({ figures: 3 });
  readonly #slow: SlowCall[] = [];
  #longestInTimeMs = 0;

  constructor(slowFromMs: number) {
    this.#slowFromMs = slowFromMs;
  }

  add(call: SlowCall): void {
    const tookMs = call.to - call.from;
    this.#histogram.record(Math.max(1, Math.round(tookMs * 1000)));
    if (tookMs <= this.#slowFromMs) this.#longestInTimeMs = Math.max(this.#longestInTimeMs, tookMs);
    else if (this.#slow.length < mostSlow) this.#slow.push(call);
  }

  get figures(): Figures {
    const { count, max } = this.#histogram;
    const percentile = (percent: number): number => (count === 0 ? Number.NaN : this.#histogram.percentile(percent) / 1000);
    return {
      calls: count,
      p50Ms: percentile(50),
      p99Ms: percentile(99),
      longestMs: count === 0 ? 0 : max / 1000,
      longestInTimeMs: this.#longestInTimeMs,
      slow: this.#slow,
    };
  }
}
