import type { RateLimitResult } from "../decision/result.ts";
import type { Limit, Policy } from "../policy/policy.ts";
import type { Waiter } from "./waiter.ts";

/** The state of a bucket as the head of a line last saw it. */
interface Sighting {
  readonly policy: Policy;
  readonly result: RateLimitResult;
  /** The backend read the bucket between these two times, in ms of the process clock. */
  readonly askedAt: number;
  readonly answeredAt: number;
}

/** The calls that wait for one key, in order, and what is known about its bucket. */
export class WaitingLine {
  head: Waiter | undefined;
  #tail: Waiter | undefined;
  /** The total cost of all waiting calls. */
  cost = 0;
  /** The waiter being served: the head, unless that has just changed. */
  served: Waiter | undefined;
  /** Whether the bucket may have changed since the head last asked. */
  isWoken = false;
  /** Whether the bucket changed since the calls in line were last checked against it. */
  needsCheck = true;
  #sighting: Sighting | undefined;
  /** The time until which the head is refused, because of its cost or because the key is blocked. */
  #headRefusedUntil = Number.NEGATIVE_INFINITY;

  /** Iterates from head to tail. The current waiter may be removed during the iteration. */
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

  /** Forgets the state of the bucket, and makes the head ask again now. */
  wake(): void {
    this.isWoken = this.needsCheck = true;
    this.#sighting = undefined;
    this.#headRefusedUntil = Number.NEGATIVE_INFINITY;
    this.head?.wake();
  }

  /** Learns from the head's last answer. Answers during an outage are ignored, because its end may change the bucket. */
  learn(sighting: Sighting): void {
    const { result, askedAt } = sighting;
    if (this.isWoken) return;
    this.#sighting = result.degraded ? undefined : sighting;
    this.#headRefusedUntil = result.degraded || result.allowed ? Number.NEGATIVE_INFINITY : askedAt + result.retryAfter * 1000;
  }

  /** The earliest time at which `tokens` could have been taken from the bucket, as far as is known. */
  earliest(tokens: number): number {
    if (this.#sighting === undefined) return Number.NEGATIVE_INFINITY;
    return Math.max(this.#headRefusedUntil, this.#sighting.askedAt + msUntil(this.#sighting, tokens));
  }

  /** The time by which `tokens` are certainly available, unless another process takes them. Asking sooner would be pointless. */
  due(tokens: number): number {
    if (this.#sighting === undefined) return Number.NEGATIVE_INFINITY;
    return this.#sighting.answeredAt + msUntil(this.#sighting, tokens);
  }
}

/** Milliseconds from a sighting until `tokens` have flowed in, which may be more than the bucket can ever hold at once. */
function msUntil({ policy, result }: Sighting, tokens: number): number {
  const ms = ({ unitsPerToken, unitsPerMs, capacityUnits }: Limit, i: number): number =>
    Math.ceil(((result.limits[i]?.used ?? 0) + tokens * unitsPerToken - capacityUnits) / unitsPerMs);
  return Math.max(...policy.limits.map(ms));
}
