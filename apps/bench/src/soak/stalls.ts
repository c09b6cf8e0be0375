import { clock } from "./clock.ts";

/** A span of time, in ms of the shared clock. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

const [everyMs, countsFromMs, most] = [5, 3, 16_384];

/**
 * Notes when this process did not run although it had work to do: another process had the core, or it collected garbage. Keeps the last
 * 16,384 times, in arrays outside the heap, because the heap is measured too.
 */
export class Stalls {
  readonly #from = new Float64Array(most);
  readonly #to = new Float64Array(most);
  #count = 0;

  constructor() {
    let due = clock() + everyMs;
    setInterval(() => {
      const now = clock();
      if (now - due > countsFromMs) {
        this.#from[this.#count % most] = due;
        this.#to[this.#count % most] = now;
        this.#count++;
      }
      due = now + everyMs;
    }, everyMs).unref();
  }

  /** Returns those that overlap a span. */
  during({ from, to }: Span): Span[] {
    const found: Span[] = [];
    for (let i = 0; i < Math.min(this.#count, most); i++) {
      const stall = { from: this.#from[i] as number, to: this.#to[i] as number };
      if (stall.from < to && stall.to > from) found.push(stall);
    }
    return found;
  }
}

/** Returns for how many ms of a call all of its processes ran. Stalls of different processes may overlap. */
export function runningMs({ from, to }: Span, stalls: readonly Span[]): number {
  let [running, at] = [0, from];
  for (const stall of [...stalls].sort((a, b) => a.from - b.from)) {
    running += Math.max(0, Math.min(stall.from, to) - at);
    at = Math.max(at, stall.to);
  }
  return running + Math.max(0, to - at);
}
