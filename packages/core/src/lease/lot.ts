import type { LeaseGrant } from "../backend/lease.ts";
import type { Limit } from "../policy/policy.ts";
import { retryMsOf } from "../policy/token-bucket.ts";

/**
 * Tokens that the backend granted in advance, and when each may be spent: pure arithmetic, without a clock.
 *
 * A lot counts like a bucket. It starts with the units that were in use before the grant, and drains, but never below the tokens that other
 * leases held at that time: these may still be spent. Each token that is spent adds its units, and must fit into the bucket. So a token can
 * be spent no earlier than if all processes had asked the backend one by one: docs/leases.md has the proof.
 */
export class Lot {
  readonly generation: number;
  /** When the tokens end, in ms of the process clock. */
  readonly endsAt: number;
  readonly #limits: readonly Limit[];
  readonly #levels: number[];
  readonly #floors: readonly number[];
  /** Until when the levels have drained. Only whole milliseconds are counted, so that the numbers stay integers. */
  #drainedTo: number;
  #tokens: number;
  /** Tokens that the backend still holds: those left, and those that were spent but not handed back. */
  #held: number;

  /** `at` is when the grant arrived, which is later than when it was made: tokens may be spent a little late, but never early. */
  constructor(limits: readonly Limit[], { tokens, generation, used, held }: LeaseGrant, at: number, endsAt: number) {
    this.generation = generation;
    this.endsAt = endsAt;
    this.#limits = limits;
    this.#levels = [...used];
    this.#floors = held;
    this.#drainedTo = at;
    this.#tokens = tokens;
    this.#held = tokens;
  }

  /** Tokens that were not spent yet. */
  get tokens(): number {
    return this.#tokens;
  }

  /** Whether the backend holds tokens for this lot that could be handed back. */
  get isHeld(): boolean {
    return this.#held > 0;
  }

  /** Whether a call of `cost` tokens fits now, however few tokens this lot has left. */
  fits(cost: number, now: number): boolean {
    this.#drain(now);
    return this.#limits.every((limit, i) => cost <= limit.burst && this.#level(i) + cost * limit.unitsPerToken <= limit.capacityUnits);
  }

  /** Milliseconds until a call of `cost` tokens fits, however few tokens this lot has left. */
  msUntilFits(cost: number, now: number): number {
    this.#drain(now);
    return Math.max(...this.#limits.map((limit, i) => retryMsOf(limit, this.#level(i), cost)));
  }

  /** Spends `cost` tokens at a time at which they fit, and returns true; or returns false and spends none. */
  spend(cost: number, now: number): boolean {
    if (cost > this.#tokens || now >= this.endsAt || !this.fits(cost, now)) return false;
    this.#tokens -= cost;
    for (const [i, { unitsPerToken }] of this.#limits.entries()) this.#levels[i] = this.#level(i) + cost * unitsPerToken;
    return true;
  }

  /** Units in use of each limit, as far as this lot knows; more if other lots were granted later. */
  used(now: number): number | readonly number[] {
    this.#drain(now);
    return this.#levels.length === 1 ? this.#level(0) : this.#levels.map((_, i) => this.#level(i));
  }

  /** Hands back the tokens that were spent. The others stay in this lot. */
  handBackSpent(): { held: number; unspent: number } {
    const spent = this.#held - this.#tokens;
    this.#held = this.#tokens;
    return { held: spent, unspent: 0 };
  }

  /** Hands back all tokens. Nothing can be spent afterwards. */
  handBackAll(): { held: number; unspent: number } {
    const all = { held: this.#held, unspent: this.#tokens };
    this.#held = 0;
    this.#tokens = 0;
    return all;
  }

  #level(i: number): number {
    return this.#levels[i] as number;
  }

  #drain(now: number): void {
    const ms = Math.floor(now - this.#drainedTo);
    if (ms <= 0) return;
    this.#drainedTo += ms;
    for (const [i, { unitsPerMs }] of this.#limits.entries())
      this.#levels[i] = Math.max(this.#floors[i] as number, this.#level(i) - ms * unitsPerMs);
  }
}
