import type { Layout } from "./layouts.ts";

const slotsPerSweep = 2500;
const smallest = 1024;

/** A Map from keys to indexes into an array of doubles. A second array has the keys, so that sweeping the array can delete them. */
export class Slots implements Layout {
  readonly #slotOf = new Map<string, number>();
  #fullAt = new Float64Array(smallest);
  #keys: (string | undefined)[] = [];
  #free: number[] = [];
  #used = 0;
  #cursor = 0;

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
    for (let i = Math.min(slotsPerSweep, this.#used); i > 0; i--) {
      if (this.#cursor >= this.#used) this.#cursor = 0;
      const slot = this.#cursor++;
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

  /** Arrays shrink only when they are empty, because moving a live slot takes a lookup. */
  #clear(): void {
    this.#fullAt = new Float64Array(smallest);
    this.#keys = [];
    this.#free = [];
    this.#used = this.#cursor = 0;
  }
}
