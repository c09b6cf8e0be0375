/** The outcome of one limiter call, as seen by its own process. Times are milliseconds on a clock that all processes share. */
export interface Recorded {
  readonly key: string;
  /** When the call was made (`from`) and when its decision arrived (`to`). */
  readonly from: number;
  readonly to: number;
  /** Tokens that the call asked for. */
  readonly cost: number;
  /** `"info"` means that it is unknown whether the call was charged. */
  readonly outcome: "admitted" | "refused" | "info";
}

/** An event in the store, and the extra tokens that every key may be granted because of it. */
export interface Allowance {
  readonly name: string;
  /** The earliest and latest time at which it can have happened. */
  readonly from: number;
  readonly to: number;
  readonly tokens: number;
}

/** The bound that every window of a history must respect. */
export interface Bound {
  /** Tokens in a full bucket (`burst`) and tokens per second (`rate`). */
  readonly burst: number;
  readonly rate: number;
  readonly allowances?: readonly Allowance[];
  /**
   * Milliseconds that a window may be longer at each end, because stores count whole ones.
   * @defaultValue 1
   */
  readonly grainMs?: number;
}

/** The window that exceeds a key's bound by the most tokens, `excess`. A negative `excess` is within the bound. */
export interface Window {
  readonly key: string;
  readonly excess: number;
  readonly from: number;
  readonly to: number;
}

/**
 * Finds the worst window of a history. In any window, a token bucket admits at most `burst + rate * length` tokens, plus the
 * allowances of the events in it.
 *
 * The exact moment of a charge is unknown, only that it was between `from` and `to`. So a call counts only in windows that contain all
 * of it: an excess found that way is an excess wherever the charges happened.
 */
export function worstWindow(history: readonly Recorded[], bound: Bound): Window {
  const keys = new Map<string, Recorded[]>(history.map(({ key }) => [key, []]));
  for (const call of history) keys.get(call.key)?.push(call);
  return [...keys]
    .map(([key, calls]) => worstOfKey(key, calls, bound))
    .reduce((a, b) => (b.excess > a.excess ? b : a), { key: "", excess: Number.NEGATIVE_INFINITY, from: 0, to: 0 });
}

/** Keeps every window that begins with a call in a tree and tries each end once, so n calls take O(n log n) steps. */
function worstOfKey(key: string, history: readonly Recorded[], { burst, rate, allowances = [], grainMs = 1 }: Bound): Window {
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

/** Counts the sorted numbers that are at most `most`. */
function below(sorted: readonly number[], most: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as number) <= most) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A list of numbers that can raise all of a prefix at once, and find the maximum of a prefix, in O(log n). */
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

  /** Raises the first `count` numbers by `by`. */
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

  /** Returns the greatest of the first `count` numbers. */
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
