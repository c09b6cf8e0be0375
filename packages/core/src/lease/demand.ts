/**
 * Measures how many tokens a key needs in one window of time, as a moving average over windows.
 *
 * A key that has just become busy counts as such within its first window, and one that was quiet for two windows starts anew.
 */
export class Demand {
  readonly #windowMs: number;
  #since: number;
  /** Calls and tokens in this window; below, the average per window before it. */
  #calls = 0;
  #tokens = 0;
  #averageCalls = 0;
  #averageTokens = 0;

  constructor(windowMs: number, now: number) {
    this.#windowMs = windowMs;
    this.#since = now;
  }

  /** Counts a call of `cost` tokens. */
  add(cost: number, now: number): void {
    const windows = (now - this.#since) / this.#windowMs;
    if (windows >= 1) {
      const weight = windows >= 2 ? 0 : 0.5;
      this.#averageCalls = weight * this.#averageCalls + (1 - weight) * (this.#calls / windows);
      this.#averageTokens = weight * this.#averageTokens + (1 - weight) * (this.#tokens / windows);
      this.#since = now;
      this.#calls = 0;
      this.#tokens = 0;
    }
    this.#calls++;
    this.#tokens += cost;
  }

  /** Calls in one window. */
  get calls(): number {
    return Math.max(this.#averageCalls, this.#calls);
  }

  /** Tokens in one window. */
  get tokens(): number {
    return Math.max(this.#averageTokens, this.#tokens);
  }
}
