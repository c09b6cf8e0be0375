import { randomInt } from "node:crypto";
import type { Layout } from "./layouts.ts";

const slotsPerSweep = 5000;
const smallest = 1024;

/**
 * Linear probing over typed arrays, at most two thirds full. The hash is FNV-1a with a random seed, because strangers choose the keys.
 * Slots with hash 0 are free. A deletion moves the entries behind it back.
 */
export class OpenTable implements Layout {
  readonly #seed = randomInt(2 ** 32);
  #hashes = new Uint32Array(smallest);
  #fullAt = new Float64Array(smallest);
  #keys: (string | undefined)[] = new Array<string | undefined>(smallest);
  #size = 0;
  #cursor = 0;

  get size(): number {
    return this.#size;
  }

  take(key: string, now: number, tokenMs: number, fullMs: number): boolean {
    const hash = hashOf(key, this.#seed);
    const mask = this.#hashes.length - 1;
    let place = hash & mask;
    for (let there = this.#hashes[place] as number; there !== 0; there = this.#hashes[place] as number) {
      if (there === hash && this.#keys[place] === key) {
        const fullAt = this.#fullAt[place] as number;
        const after = (fullAt > now ? fullAt : now) + tokenMs;
        if (after - now > fullMs) return false;
        this.#fullAt[place] = after;
        return true;
      }
      place = (place + 1) & mask;
    }
    this.#hashes[place] = hash;
    this.#fullAt[place] = now + tokenMs;
    this.#keys[place] = key;
    this.#size++;
    if (3 * this.#size > 2 * (mask + 1)) this.#resize(2 * (mask + 1));
    return true;
  }

  sweep(now: number): void {
    for (let i = Math.min(slotsPerSweep, this.#hashes.length); i > 0; i--) {
      const place = this.#cursor & (this.#hashes.length - 1);
      if (this.#hashes[place] !== 0 && (this.#fullAt[place] as number) <= now) this.#remove(place);
      else this.#cursor = place + 1;
    }
    const { length } = this.#hashes;
    if (length > smallest && 8 * this.#size < length) this.#resize(length / 4);
  }

  #remove(free: number): void {
    const mask = this.#hashes.length - 1;
    let gap = free;
    for (let place = (gap + 1) & mask; this.#hashes[place] !== 0; place = (place + 1) & mask) {
      const home = (this.#hashes[place] as number) & mask;
      if (((place - home) & mask) >= ((place - gap) & mask)) {
        this.#move(place, gap);
        gap = place;
      }
    }
    this.#hashes[gap] = 0;
    this.#keys[gap] = undefined;
    this.#size--;
  }

  #move(from: number, to: number): void {
    this.#hashes[to] = this.#hashes[from] as number;
    this.#fullAt[to] = this.#fullAt[from] as number;
    this.#keys[to] = this.#keys[from];
  }

  #resize(length: number): void {
    const [hashes, fullAt, keys] = [this.#hashes, this.#fullAt, this.#keys];
    this.#hashes = new Uint32Array(length);
    this.#fullAt = new Float64Array(length);
    this.#keys = new Array<string | undefined>(length);
    for (let from = 0; from < hashes.length; from++) {
      const hash = hashes[from] as number;
      if (hash === 0) continue;
      let place = hash & (length - 1);
      while (this.#hashes[place] !== 0) place = (place + 1) & (length - 1);
      this.#hashes[place] = hash;
      this.#fullAt[place] = fullAt[from] as number;
      this.#keys[place] = keys[from];
    }
  }
}

function hashOf(key: string, seed: number): number {
  let hash = seed;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return ((hash ^ (hash >>> 16)) | 0x80000000) >>> 0;
}
