import type { Stored } from "./stored.ts";

/** Buckets by key. */
export type Part = Map<string, Stored>;

/** Keys up to which one Map is enough, and the parts that more are spread over: a power of two. */
const [few, parts] = [4096, 16];

/**
 * The buckets of one prefix by key, in parts.
 *
 * When a Map grows or shrinks, V8 makes it over as a whole and everything waits: 100 ms at a million keys. Here that is done part by part.
 */
export class Buckets {
  #parts: readonly [Part, ...Part[]] = [new Map()];

  get parts(): readonly Part[] {
    return this.#parts;
  }

  /** Where the bucket of `key` is, or belongs. */
  partOf(key: string): Part {
    const first = this.#parts[0];
    return this.#parts.length === 1 && first.size < few ? first : this.#find(key);
  }

  #find(key: string): Part {
    if (this.#parts.length === 1) this.#spread(this.#parts[0]);
    return this.#parts[numberOf(key)] as Part;
  }

  #spread(whole: Part): void {
    this.#parts = Array.from({ length: parts }, (): Part => new Map()) as [Part, ...Part[]];
    for (const [key, bucket] of whole) (this.#parts[numberOf(key)] as Part).set(key, bucket);
    whole.clear();
  }
}

/**
 * Of three of the characters: numbers and addresses that are counted up fall into all parts alike.
 * Who chooses keys to fall into one gets the Map that there would be without parts.
 */
function numberOf(key: string): number {
  const { length } = key;
  return (key.charCodeAt(length - 1) * 5 + key.charCodeAt(length >> 1) * 7 + key.charCodeAt((length * 3) >> 2) * 3) & (parts - 1);
}
