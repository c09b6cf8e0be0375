import type { Layout } from "./layouts.ts";

const looks = 2500;
const smallest = 1024;

/** A Map tells where in an array of doubles a bucket is; the key stands beside it, so that a sweep of the array can drop it. */
export class Slots implements Layout {
  readonly #slotOf = new Map<string, number>();
  #fullAt = new Float64Array(smallest);
  #keys: (string | undefined)[] = [];
  #free: number[] = [];
  #used = 0;
  #hand = 0;

  get size(): number {
    return this.#slotOf.size;
  }

  take(key: string, now: number, tokenMs: number, fullMs: number): boolean {
    const slot = this.#slotOf.get(key);
    if (slot === undefined) {
      this.#add(key, now + tokenMs);
      return true;
    }
    const fullAt = this.#fullAt[slot] as number;
    const after = (fullAt > now ? fullAt : now) + tokenMs;
    if (after - now > fullMs) return false;
    this.#fullAt[slot] = after;
    return true;
  }

  sweep(now: number): void {
    for (let i = Math.min(looks, this.#used); i > 0; i--) {
      if (this.#hand >= this.#used) this.#hand = 0;
      const slot = this.#hand++;
      const key = this.#keys[slot];
      if (key === undefined || (this.#fullAt[slot] as number) > now) continue;
      this.#slotOf.delete(key);
      this.#keys[slot] = undefined;
      this.#free.push(slot);
    }
    if (this.#slotOf.size === 0 && this.#used > 0) this.#clear();
  }

  #add(key: string, fullAt: number): void {
    const slot = this.#free.pop() ?? this.#used++;
    if (slot >= this.#fullAt.length) {
      const larger = new Float64Array(2 * this.#fullAt.length);
      larger.set(this.#fullAt);
      this.#fullAt = larger;
    }
    this.#fullAt[slot] = fullAt;
    this.#keys[slot] = key;
    this.#slotOf.set(key, slot);
  }

  /** Arrays shrink only when they are empty: live slots cannot move without a look-up each. */
  #clear(): void {
    this.#fullAt = new Float64Array(smallest);
    this.#keys = [];
    this.#free = [];
    this.#used = this.#hand = 0;
  }
}
