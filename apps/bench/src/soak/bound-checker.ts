/** What every key may be granted. */
export interface Bound {
  /** Tokens in a full bucket. */
  readonly burst: number;
  /** Tokens that flow back per second. */
  readonly rate: number;
  /** The extra tokens that an outage may grant to every key. */
  readonly outageTokens: number;
}

/** The window of a history that exceeds its bound by the most tokens. A negative `excess` is within the bound. */
export interface WorstWindow {
  readonly key: number;
  readonly excess: number;
  readonly from: number;
  readonly to: number;
}

/** Stores count whole milliseconds, so a window may be 1 ms longer at each end. */
const grainMs = 2;

/**
 * Checks admissions as they come, in 28 bytes per key: in any window, a key may be granted `burst + rate * length` tokens, and
 * `outageTokens` for each outage in it.
 *
 * It does what `worstWindow` of @ratelimit/conformance does, but remembers only the worst window of each key that is still open, instead
 * of all calls. A call counts only in windows that contain all of it, because the moment of its charge is unknown. So whatever is
 * reported is an excess. It can miss up to the tokens that flow back during two calls.
 */
export class BoundChecker {
  readonly #bound: Bound;
  readonly #perMs: number;
  /** Of the worst window of each key that ends with its last admission: tokens beyond the flow, start and end. */
  readonly #tokens: Float64Array;
  readonly #from: Float64Array;
  readonly #to: Float64Array;
  /** The outages that had begun by then. */
  readonly #outagesSeen: Uint32Array;
  #outages = 0;
  #outageEnd = Number.NEGATIVE_INFINITY;
  #worst: WorstWindow = { key: -1, excess: Number.NEGATIVE_INFINITY, from: 0, to: 0 };

  /** Keys are numbered from 0. */
  constructor(keys: number, bound: Bound) {
    this.#bound = bound;
    this.#perMs = bound.rate / 1000;
    this.#tokens = new Float64Array(keys).fill(Number.NEGATIVE_INFINITY);
    this.#from = new Float64Array(keys);
    this.#to = new Float64Array(keys);
    this.#outagesSeen = new Uint32Array(keys);
  }

  get worst(): WorstWindow {
    return this.#worst;
  }

  /** From now on, windows contain another outage. The one before must have ended. */
  outageBegins(): void {
    this.#outages++;
    this.#outageEnd = Number.POSITIVE_INFINITY;
  }

  outageEnds(at: number): void {
    this.#outageEnd = at;
  }

  /** Adds a call that was made at `from` and admitted by `to`, in ms. Call it in the order of `to`. */
  admitted(key: number, from: number, to: number): void {
    const perMs = this.#perMs;
    const { burst, outageTokens } = this.#bound;
    const news = this.#outages - (this.#outagesSeen[key] as number);
    const [start, end] = [this.#from[key] as number, this.#to[key] as number];
    const without = (this.#tokens[key] as number) - perMs * (to - end) - news * outageTokens;
    const extraSince = (moment: number): number => (moment <= this.#outageEnd ? outageTokens : 0);
    const reachesBack = from < start ? perMs * (start - from) + extraSince(from) - extraSince(start) : 0;
    const including = without + 1 - reachesBack;
    const fresh = 1 - perMs * (to - from) - extraSince(from);

    const tokens = Math.max(without, including, fresh);
    const begin = tokens === including ? Math.min(start, from) : tokens === without ? start : from;
    this.#tokens[key] = tokens;
    this.#from[key] = begin;
    this.#to[key] = to;
    this.#outagesSeen[key] = this.#outages;
    const excess = tokens - perMs * grainMs - burst;
    if (excess > this.#worst.excess) this.#worst = { key, excess, from: begin, to };
  }
}
