/** A growing list of counts, 4 bytes each. What was never set is 0. */
export class CountColumn {
  #values = new Uint32Array(1024);

  get(index: number): number {
    return this.#values[index] ?? 0;
  }

  set(index: number, value: number): void {
    if (index >= this.#values.length) this.#values = grown(this.#values, new Uint32Array(grownLength(index)));
    this.#values[index] = value;
  }

  /** Adds 1 and returns the new count. */
  increment(index: number): number {
    const count = this.get(index) + 1;
    this.set(index, count);
    return count;
  }
}

/** Grows by half: doubling a large column would take more memory than the rest of the replay. */
export function grownLength(index: number): number {
  return Math.ceil((index + 1) * 1.5);
}

export function grown<T extends Uint32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
