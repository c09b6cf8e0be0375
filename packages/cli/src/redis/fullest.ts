import type { FoundBucket } from "./scan.ts";

/** Keeps the buckets that take longest to be full again, and counts all of them. */
export class Fullest {
  readonly #size: number;
  #list: FoundBucket[] = [];
  #total = 0;
  #blocked = 0;

  constructor(size: number) {
    this.#size = size;
  }

  /** How many buckets were added. */
  get total(): number {
    return this.#total;
  }

  get blocked(): number {
    return this.#blocked;
  }

  /** The longest first. */
  get list(): readonly FoundBucket[] {
    this.#cut();
    return this.#list;
  }

  add(one: FoundBucket): void {
    this.#total++;
    if (one.bucket.blockedMs > 0) this.#blocked++;
    this.#list.push(one);
    if (this.#list.length >= 2 * this.#size + 100) this.#cut();
  }

  #cut(): void {
    this.#list.sort((a, b) => b.bucket.fullInMs - a.bucket.fullInMs);
    const seen = new Set<string>();
    // SCAN may return a key twice.
    this.#list = this.#list
      .filter(({ limiter, key }) => {
        const id = `${limiter}\0${key}`;
        return !seen.has(id) && seen.add(id);
      })
      .slice(0, this.#size);
  }
}
