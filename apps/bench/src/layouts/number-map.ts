import type { Layout } from "./layouts.ts";

/** At one sweep every 5 ms, a pass over a million buckets takes two seconds. */
const bucketsPerSweep = 2500;

/** The layout of BucketTable: a Map stores small integers without allocating an object for each. */
export class NumberMap implements Layout {
  readonly #fullAt = new Map<string, number>();
  #cursor: Iterator<[string, number]> | undefined;

  get size(): number {
    return this.#fullAt.size;
  }

  take(key: string, now: number, tokenMs: number, fullMs: number): boolean {
    const fullAt = this.#fullAt.get(key) ?? 0;
    const after = (fullAt > now ? fullAt : now) + tokenMs;
    if (after - now > fullMs) return false;
    this.#fullAt.set(key, after);
    return true;
  }

  sweep(now: number): void {
    for (let i = 0; i < bucketsPerSweep; i++) {
      this.#cursor ??= this.#fullAt.entries();
      const step = this.#cursor.next();
      if (step.done === true) {
        this.#cursor = undefined;
        return;
      }
      if (step.value[1] <= now) this.#fullAt.delete(step.value[0]);
    }
  }
}
