/** In which order keys are asked for, and how many there are. */
export interface KeySet {
  readonly name: string;
  readonly count: number;
  readonly zipf?: true;
}

export const keySets = {
  hot: { name: "one hot key", count: 1 },
  many: { name: "10,000 keys, evenly", count: 10_000 },
  million: { name: "1,000,000 keys, Zipf 0.99", count: 1_000_000, zipf: true },
} as const satisfies Record<string, KeySet>;

export type KeySetId = keyof typeof keySets;

export function keyOf(i: number): string {
  return `user:${i}`;
}

/** Entries of an order; a power of two. */
export const orderLength: number = 2 ** 20;

/** Numbers of keys in the order in which they are asked for: the same in every process. */
export function orderOf({ count, zipf }: KeySet): Uint32Array {
  const random = randomNumbers(1);
  const pick = zipf ? zipfPicker(count, random) : (): number => Math.floor(random() * count);
  return Uint32Array.from({ length: orderLength }, pick);
}

/** Key i comes up in proportion to 1 / (i + 1) ** 0.99. */
function zipfPicker(count: number, random: () => number): () => number {
  const sums = new Float64Array(count);
  let sum = 0;
  for (let i = 0; i < count; i++) {
    sum += 1 / (i + 1) ** 0.99;
    sums[i] = sum;
  }
  const numbers = shuffled(count, random);
  return () => numbers[firstAtLeast(sums, random() * sum)] as number;
}

function firstAtLeast(sorted: Float64Array, value: number): number {
  let [low, high] = [0, sorted.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Popular keys do not lie side by side because they were made one after the other. */
function shuffled(count: number, random: () => number): Uint32Array {
  const numbers = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const swap = numbers[i] as number;
    numbers[i] = numbers[j] as number;
    numbers[j] = swap;
  }
  return numbers;
}

/** Mulberry32: 2 ** 32 numbers from one seed. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}
