/** What one call of a limiter came to, as its own process saw it. Times are ms by one clock of all processes. */
export interface Recorded {
  readonly key: string;
  /** When the call was made, and when it was decided. */
  readonly from: number;
  readonly to: number;
  /** Tokens that it asked for. */
  readonly cost: number;
  /** `info`: nobody knows whether it was charged. */
  readonly outcome: "admitted" | "refused" | "info";
}

/** Something that was done to the store, and what it may hand out on top, of every key. */
export interface Allowance {
  readonly name: string;
  /** When it happened, at the earliest and at the latest. */
  readonly from: number;
  readonly to: number;
  readonly tokens: number;
}

/** What must hold in every window of a history. */
export interface Bound {
  /** Tokens in a full bucket, and tokens a second. */
  readonly burst: number;
  readonly rate: number;
  readonly allowances?: readonly Allowance[];
}

/** The window in which a key was admitted most beyond its bound: by so many tokens; less than 0 is within it. */
export interface Window {
  readonly key: string;
  readonly excess: number;
  readonly from: number;
  readonly to: number;
}

/** Stores count in whole ms: a window may be one longer at each end. */
const grainMs = 1;

/**
 * Finds the worst window of a history: a token bucket admits in any window no more than `burst + rate * length`, and what the
 * events in it allow.
 *
 * When exactly a call was charged is not known, only that it was between `from` and `to`. So a call counts for a window that holds
 * all of it: whatever exceeds the bound then, exceeds it at every possible moment.
 */
export function worstWindow(history: readonly Recorded[], bound: Bound): Window {
  const keys = new Map<string, Recorded[]>(history.map(({ key }) => [key, []]));
  for (const call of history) keys.get(call.key)?.push(call);
  return [...keys]
    .map(([key, calls]) => worstOfKey(key, calls, bound))
    .reduce((a, b) => (b.excess > a.excess ? b : a), { key: "", excess: Number.NEGATIVE_INFINITY, from: 0, to: 0 });
}

/** Every window that begins with a call, kept as a tree; each end is tried once, so n calls take n log n steps. */
function worstOfKey(key: string, history: readonly Recorded[], { burst, rate, allowances = [] }: Bound): Window {
  const admitted = history.filter(({ outcome, cost }) => outcome === "admitted" && cost > 0);
  const starts = admitted.map(({ from }) => from).sort((a, b) => a - b);
  const perMs = rate / 1000;
  const tree = new MaxTree(starts.map((start) => start * perMs));
  const ends = [
    ...admitted.map(({ from, to, cost }) => ({ at: to, from, tokens: cost, isEnd: true })),
    ...allowances.map(({ from, to, tokens }) => ({ at: from, from: to, tokens: -tokens, isEnd: false })),
  ].sort((a, b) => a.at - b.at || a.tokens - b.tokens);
  let worst = { key, excess: Number.NEGATIVE_INFINITY, from: 0, to: 0 };
  for (const { at, from, tokens, isEnd } of ends) {
    tree.add(below(starts, from), tokens);
    if (!isEnd) continue;
    const { value, index } = tree.max(below(starts, at));
    const excess = value - (at + 2 * grainMs) * perMs - burst;
    if (excess > worst.excess) worst = { key, excess, from: starts[index] as number, to: at };
  }
  return worst;
}

/** How many of the sorted numbers are not above `most`. */
function below(sorted: readonly number[], most: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as number) <= most) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Numbers of which the first few can be raised at once, and the greatest of the first few be found. */
class MaxTree {
  readonly #size: number;
  readonly #best: Float64Array;
  readonly #raised: Float64Array;

  constructor(values: readonly number[]) {
    this.#size = 2 ** Math.ceil(Math.log2(Math.max(1, values.length)));
    this.#best = new Float64Array(2 * this.#size).fill(Number.NEGATIVE_INFINITY);
    this.#raised = new Float64Array(2 * this.#size);
    this.#best.set(values, this.#size);
    for (let node = this.#size - 1; node > 0; node--) this.#pull(node);
  }

  /** Raises the first `count` by `by`. */
  add(count: number, by: number, node: number = 1, from: number = 0, size: number = this.#size): void {
    if (count <= from) return;
    if (count >= from + size) {
      this.#best[node] = (this.#best[node] as number) + by;
      this.#raised[node] = (this.#raised[node] as number) + by;
      return;
    }
    const half = size / 2;
    this.add(count, by, 2 * node, from, half);
    this.add(count, by, 2 * node + 1, from + half, half);
    this.#pull(node);
  }

  /** The greatest of the first `count`. */
  max(count: number, node: number = 1, from: number = 0, size: number = this.#size): { value: number; index: number } {
    if (count <= from || size === 0) return { value: Number.NEGATIVE_INFINITY, index: -1 };
    if (size === 1) return { value: this.#best[node] as number, index: from };
    if (count >= from + size) return { value: this.#best[node] as number, index: this.#indexOf(node, from, size) };
    const half = size / 2;
    const [a, b] = [this.max(count, 2 * node, from, half), this.max(count, 2 * node + 1, from + half, half)];
    const { value, index } = b.value > a.value ? b : a;
    return { value: value + (this.#raised[node] as number), index };
  }

  #indexOf(node: number, from: number, size: number): number {
    if (size === 1) return from;
    const half = size / 2;
    return (this.#best[2 * node + 1] as number) > (this.#best[2 * node] as number)
      ? this.#indexOf(2 * node + 1, from + half, half)
      : this.#indexOf(2 * node, from, half);
  }

  #pull(node: number): void {
    this.#best[node] = Math.max(this.#best[2 * node] as number, this.#best[2 * node + 1] as number) + (this.#raised[node] as number);
  }
}
