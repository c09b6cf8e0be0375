/** A source of random choices that are repeatable from a seed. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** Returns an integer from 0 to `below` - 1 (mulberry32). */
  below(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  }

  /** Returns true with a probability of 1 in `inTimes`. */
  once(inTimes: number): boolean {
    return this.below(inTimes) === 0;
  }

  of<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T;
  }

  /** Returns a string of 0 to `longest` characters from `alphabet`. */
  text(alphabet: string, longest: number): string {
    return Array.from({ length: this.below(longest + 1) }, () => alphabet[this.below(alphabet.length)]).join("");
  }
}
