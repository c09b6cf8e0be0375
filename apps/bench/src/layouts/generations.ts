import type { Layout } from "./layouts.ts";

/** A key that is used moves to the young Map. After the time a bucket takes to fill, the whole old Map is dropped. */
export class Generations implements Layout {
  readonly #fullMs: number;
  #young = new Map<string, number>();
  #old = new Map<string, number>();
  #turnAt: number;

  constructor(fullMs: number) {
    this.#fullMs = fullMs;
    this.#turnAt = performance.now() + fullMs;
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  take(key: string, now: number, tokenMs: number, fullMs: number): boolean {
    const known = this.#young.get(key);
    const fullAt = known ?? this.#old.get(key) ?? 0;
    const after = (fullAt > now ? fullAt : now) + tokenMs;
    if (after - now > fullMs) return false;
    if (known === undefined && fullAt > 0) this.#old.delete(key);
    this.#young.set(key, after);
    return true;
  }

  sweep(now: number): void {
    if (now < this.#turnAt) return;
    this.#turnAt = now + this.#fullMs;
    this.#old = this.#young;
    this.#young = new Map();
  }
}
