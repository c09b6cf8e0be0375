import type { Layout } from "./layouts.ts";

/** Buckets that one sweep looks at: a pass over a million of them takes two seconds at one sweep in 5 ms. */
const looks = 2500;

/** What BucketTable is: small integers lie in a Map without an object of their own. */
export class NumberMap implements Layout {
  readonly #fullAt = new Map<string, number>();
  #hand: Iterator<[string, number]> | undefined;

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
    for (let i = 0; i < looks; i++) {
      this.#hand ??= this.#fullAt.entries();
      const step = this.#hand.next();
      if (step.done === true) {
        this.#hand = undefined;
        return;
      }
      if (step.value[1] <= now) this.#fullAt.delete(step.value[0]);
    }
  }
}
