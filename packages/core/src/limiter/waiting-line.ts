import type { RateLimitResult } from "../decision/result.ts";
import type { Limit, Policy } from "../policy/policy.ts";
import type { Waiter } from "./waiter.ts";

/** A bucket as the head of a line last saw it. */
interface Sighting {
  readonly policy: Policy;
  readonly result: RateLimitResult;
  /** Between these two times, in ms of the process clock, the backend looked. */
  readonly askedAt: number;
  readonly answeredAt: number;
}

/** The calls that wait for one key, in their order, and what is known of its bucket. */
export class WaitingLine {
  head: Waiter | undefined;
  #tail: Waiter | undefined;
  /** Tokens that all of them wait for. */
  cost = 0;
  /** The waiter that is being served: the head, unless that has just changed. */
  served: Waiter | undefined;
  /** Whether the bucket may have changed since the head last asked. */
  isWoken = false;
  /** Whether no sighting has been held against the calls in line since the bucket changed. */
  isUnjudged = true;
  #sighting: Sighting | undefined;
  /** The head is refused until then: by its own cost, or because the key is blocked. */
  #headRefusedUntil = Number.NEGATIVE_INFINITY;

  /** From head to tail; a waiter may be removed when its turn has come. */
  *[Symbol.iterator](): Generator<Waiter> {
    for (let waiter = this.head; waiter !== undefined; ) {
      const { behind } = waiter;
      yield waiter;
      waiter = behind;
    }
  }

  push(waiter: Waiter): void {
    waiter.ahead = this.#tail;
    if (this.#tail === undefined) this.head = waiter;
    else this.#tail.behind = waiter;
    this.#tail = waiter;
    this.cost += waiter.call.cost;
  }

  remove(waiter: Waiter): void {
    const { ahead, behind } = waiter;
    if (ahead === undefined) this.head = behind;
    else ahead.behind = behind;
    if (behind === undefined) this.#tail = ahead;
    else behind.ahead = ahead;
    waiter.ahead = waiter.behind = undefined;
    this.cost -= waiter.call.cost;
    if (ahead === undefined) this.#headRefusedUntil = Number.NEGATIVE_INFINITY;
  }

  /** Forgets what is known of the bucket, and has the head look at once. */
  wake(): void {
    this.isWoken = this.isUnjudged = true;
    this.#sighting = undefined;
    this.#headRefusedUntil = Number.NEGATIVE_INFINITY;
    this.head?.wake();
  }

  /** Learns from an answer that the head got. During an outage nothing can be learned: its end may change the bucket. */
  learn(sighting: Sighting): void {
    const { result, askedAt } = sighting;
    if (this.isWoken) return;
    this.#sighting = result.degraded ? undefined : sighting;
    this.#headRefusedUntil = result.degraded || result.allowed ? Number.NEGATIVE_INFINITY : askedAt + result.retryAfter * 1000;
  }

  /** The earliest time at which `tokens` can have been taken from the bucket, as far as is known. */
  earliest(tokens: number): number {
    if (this.#sighting === undefined) return Number.NEGATIVE_INFINITY;
    return Math.max(this.#headRefusedUntil, this.#sighting.askedAt + msUntil(this.#sighting, tokens));
  }

  /** The time by which `tokens` will certainly be there, unless somebody else takes them: asking sooner would be in vain. */
  due(tokens: number): number {
    if (this.#sighting === undefined) return Number.NEGATIVE_INFINITY;
    return this.#sighting.answeredAt + msUntil(this.#sighting, tokens);
  }
}

/** Milliseconds from a sighting until `tokens`, which may be more than the bucket ever holds at once, have flowed in. */
function msUntil({ policy, result }: Sighting, tokens: number): number {
  const ms = ({ unitsPerToken: p, unitsPerMs: r, capacityUnits: full }: Limit, i: number): number =>
    Math.ceil(((result.limits[i]?.used ?? 0) + tokens * p - full) / r);
  return Math.max(...policy.limits.map(ms));
}
