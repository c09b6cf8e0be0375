/** How many keys there are, and how often each is used. */
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

/** The number of entries in an order: a power of two. */
export const orderLength: number = 2 ** 20;

/** Returns key numbers in the order in which they are used, which is the same in every process. */
export function orderOf({ count, zipf }: KeySet): Uint32Array {
  const random = randomNumbers(1);
  const pick = zipf ? zipfPicker(count, random) : (): number => Math.floor(random() * count);
  return Uint32Array.from({ length: orderLength }, pick);
}

/** Picks the i-th most popular key with a probability proportional to 1 / (i + 1) ** 0.99. */
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

/** Shuffles the key numbers, so that popular keys are not next to each other in memory. */
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

/** Mulberry32, a seeded generator with a period of 2 ** 32. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}
