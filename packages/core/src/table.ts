import { AsyncResource } from "node:async_hooks";
// Not the global ones: a sweep armed under a test runner's timers would never come.
import { clearTimeout, setTimeout } from "node:timers";
import type { Scope, Take } from "./backend.ts";
import { adjusted, aheadOf, ceilingOf, fits, unchargedOf } from "./bucket.ts";
import { Buckets, type Part } from "./buckets.ts";
import { type Clock, processClock } from "./clock.ts";
import { publishEviction } from "./diagnostics.ts";
import { RateLimitError } from "./errors.ts";
import { expected } from "./message.ts";
import type { Limit, Policy } from "./policy.ts";
import { isPositiveInteger } from "./problems.ts";
import { fullAtOf, type Stored, stored, storeOne, usedIn, usedInOne } from "./stored.ts";

/** The buckets of one prefix, and the policy that last used them: the measure when one of them has to go. */
interface Shelf {
  readonly buckets: Buckets;
  readonly policy: Policy;
}

/** Where the hand of the table stands. */
interface Place {
  readonly policy: Policy;
  readonly part: Part;
  readonly key: string;
  readonly bucket: Stored;
}

/** Buckets among which the fullest is forgotten, and how many more are looked at while all of them refuse. */
const [sample, patience] = [16, 1024];
/** Buckets that a turn of the sweep looks at, and the bounds, in ms, of a turn and of a whole pass. */
const [batch, shortestTurn, shortestPass, longestPass] = [400, 2, 1000, 60_000];

/** Timers made in here do not keep alive the request that happened to make them. */
const outsideRequests = new AsyncResource("ratelimit");

/**
 * A bounded table of buckets in this process.
 *
 * A bucket stays until it is full; a sweep gives back what is full, in small turns of one timer that keeps no process alive.
 * At `maxKeys` the fullest of the next few buckets is forgotten: it carries least, so keys sprayed at the table do not free
 * a key that is blocked.
 */
export class BucketTable {
  readonly #maxKeys: number;
  readonly #clock: Clock;
  readonly #origin: number;
  readonly #onProcessClock: boolean;
  readonly #shelves = new Map<string, Shelf>();
  /** The shelf that was asked for last: processes of one limiter find theirs without a look-up. */
  #lastScope: Scope | undefined;
  #lastShelf: Shelf | undefined;
  #keys = 0;
  #evictions = 0;
  #hand: Iterator<Place> | undefined;
  #turn: NodeJS.Timeout | undefined;
  #passMs = longestPass;
  /** Keys when the pass began: it keeps its pace while it empties the table. */
  #passKeys = 0;

  /** @throws {RateLimitError} INVALID_OPTION where `maxKeys` is no positive integer or the clock reads no number. */
  constructor(maxKeys: number, clock: Clock) {
    if (!isPositiveInteger(maxKeys)) throw new RateLimitError("INVALID_OPTION", expected("maxKeys", "a positive integer", maxKeys));
    const origin = clock.now();
    if (!Number.isFinite(origin))
      throw new RateLimitError("INVALID_OPTION", expected("clock", "a clock whose now() is a finite number of milliseconds", origin));
    this.#maxKeys = maxKeys;
    this.#clock = clock;
    this.#origin = origin;
    this.#onProcessClock = clock === processClock;
  }

  get keys(): number {
    return this.#keys;
  }

  get evictions(): number {
    return this.#evictions;
  }

  take(scope: Scope, key: string, cost: number): Take {
    return scope.policy.limits.length === 1 ? this.#takeOne(scope, key, cost) : this.#takeAll(scope, key, cost);
  }

  adjust(scope: Scope, key: string, tokens: number): Take {
    const { limits } = scope.policy;
    const part = this.#partOf(scope, key);
    const now = this.#now();
    const bucket = part.get(key);
    const before = limits.map((limit, i) => Math.min(usedIn(bucket, scope.policy, i, now), ceilingOf(limit)));
    const used = limits.map((limit, i) => adjusted(limit, before[i] as number, tokens));
    this.#put(part, key, bucket, stored(scope.policy, used, now), scope.policy);
    const uncharged = Math.max(...limits.map((limit, i) => unchargedOf(limit, before[i] as number, tokens)));
    return { allowed: true, used: limits.length === 1 ? (used[0] as number) : used, uncharged };
  }

  /** Units in use of every limit, even beyond the debt of one burst. */
  read(scope: Scope, key: string): number[] {
    const bucket = this.#partOf(scope, key).get(key);
    const now = this.#now();
    return scope.policy.limits.map((_, i) => usedIn(bucket, scope.policy, i, now));
  }

  /** Puts a bucket into a state that was worked out elsewhere. */
  write(scope: Scope, key: string, used: readonly number[]): void {
    const part = this.#partOf(scope, key);
    this.#put(part, key, part.get(key), stored(scope.policy, used, this.#now()), scope.policy);
  }

  reset(scope: Scope, key: string): void {
    this.#drop(this.#partOf(scope, key), key);
  }

  close(): void {
    clearTimeout(this.#turn);
    this.#turn = undefined;
    this.#shelves.clear();
    this.#lastScope = this.#lastShelf = undefined;
    this.#hand = undefined;
    this.#keys = 0;
  }

  /** Nearly every call: no array, one reading of the clock, and one look-up where the bucket refuses. */
  #takeOne(scope: Scope, key: string, cost: number): Take {
    const limit = scope.policy.limits[0];
    const part = this.#partOf(scope, key);
    const at = this.#clock.now();
    const now = Math.floor(at - this.#origin);
    const bucket = part.get(key);
    const claimed = typeof bucket === "number" ? usedInOne(bucket, limit, now) : usedIn(bucket, scope.policy, 0, now);
    const before = Math.min(claimed, ceilingOf(limit));
    const allowed = fits(limit, before, cost);
    const used = allowed ? before + cost * limit.p : before;
    if (cost > 0 && (allowed || claimed > before)) this.#put(part, key, bucket, storeOne(limit, used, now), scope.policy);
    return { allowed, used, at: this.#onProcessClock ? at : undefined };
  }

  #takeAll(scope: Scope, key: string, cost: number): Take {
    const { limits } = scope.policy;
    const part = this.#partOf(scope, key);
    const now = this.#now();
    const bucket = part.get(key);
    const claimed = limits.map((_, i) => usedIn(bucket, scope.policy, i, now));
    const before = limits.map((limit, i) => Math.min(claimed[i] as number, ceilingOf(limit)));
    const allowed = limits.every((limit, i) => fits(limit, before[i] as number, cost));
    const used = allowed ? limits.map((limit, i) => (before[i] as number) + cost * limit.p) : before;
    const clamped = claimed.some((units, i) => units > (before[i] as number));
    if (cost > 0 && (allowed || clamped)) this.#put(part, key, bucket, stored(scope.policy, used, now), scope.policy);
    return { allowed, used };
  }

  #now(): number {
    return Math.floor(this.#clock.now() - this.#origin);
  }

  #partOf(scope: Scope, key: string): Part {
    const shelf = scope === this.#lastScope ? (this.#lastShelf as Shelf) : this.#shelf(scope);
    return shelf.buckets.partOf(key);
  }

  #shelf(scope: Scope): Shelf {
    const found = this.#shelves.get(scope.prefix);
    const shelf = found?.policy === scope.policy ? found : { buckets: found?.buckets ?? new Buckets(), policy: scope.policy };
    if (shelf !== found) this.#shelves.set(scope.prefix, shelf);
    this.#lastScope = scope;
    this.#lastShelf = shelf;
    return shelf;
  }

  #put(part: Part, key: string, before: Stored | undefined, after: Stored | undefined, policy: Policy): void {
    if (after === undefined) this.#drop(part, key);
    else {
      if (before === undefined) this.#makeRoom();
      part.set(key, after);
      if (this.#turn === undefined) this.#arm(policy);
    }
  }

  #drop(part: Part, key: string): void {
    if (part.delete(key)) this.#keys--;
  }

  #makeRoom(): void {
    if (this.#keys >= this.#maxKeys) this.#evict();
    this.#keys++;
  }

  #evict(): void {
    const now = this.#now();
    let fullest = this.#next() as Place;
    let level = levelOf(fullest, now);
    for (let seen = 1; level > 0 && seen < (level > 1 ? patience : sample); seen++) {
      const place = this.#next() as Place;
      const its = levelOf(place, now);
      if (its < level) [fullest, level] = [place, its];
    }
    this.#drop(fullest.part, fullest.key);
    this.#evictions++;
    publishEviction({ count: 1 });
  }

  #arm(policy: Policy): void {
    const fillMs = Math.max(...policy.limits.map((limit) => aheadOf(limit, limit.full)));
    this.#passMs = Math.min(longestPass, Math.max(shortestPass, fillMs / 2));
    outsideRequests.runInAsyncScope(() => this.#arrange());
  }

  /** Sets the next turn so that a pass over the table takes half the time that a bucket needs to fill: in twice that time it is gone. */
  #arrange(): void {
    const keys = Math.max(this.#passKeys, this.#keys);
    const turnMs = Math.max(shortestTurn, (this.#passMs * batch) / Math.max(batch, keys));
    const looks = Math.max(batch, Math.ceil((keys * turnMs) / this.#passMs));
    this.#turn = setTimeout(() => this.#sweep(looks), turnMs);
    this.#turn.unref();
  }

  #sweep(looks: number): void {
    const now = this.#now();
    for (let i = Math.min(looks, this.#keys); i > 0; i--) {
      const place = this.#next();
      if (place !== undefined && fullAtOf(place.bucket) <= now) this.#drop(place.part, place.key);
    }
    if (this.#shelves.size > this.#keys) this.#clearShelves();
    this.#turn = undefined;
    if (this.#keys > 0) this.#arrange();
    // A hand that rests holds on to what it stood in.
    else this.#hand = undefined;
  }

  #clearShelves(): void {
    this.#lastScope = this.#lastShelf = undefined;
    for (const [prefix, { buckets }] of this.#shelves) {
      if (buckets.parts.every(({ size }) => size === 0)) this.#shelves.delete(prefix);
    }
  }

  /** Moves the hand on, over all shelves and round again. */
  #next(): Place | undefined {
    this.#hand ??= this.#places();
    const step = this.#hand.next();
    if (!step.done) return step.value;
    this.#hand = undefined;
    this.#passKeys = this.#keys;
    return this.#keys > 0 ? this.#next() : undefined;
  }

  *#places(): Generator<Place> {
    for (const { buckets, policy } of this.#shelves.values()) {
      for (const part of buckets.parts) {
        for (const [key, bucket] of part) yield { policy, part, key, bucket };
      }
    }
  }
}

/** How far a bucket is used up: 0 or less carries nothing any more, above 1 refuses a call of cost 1. */
function levelOf({ policy, bucket }: Place, now: number): number {
  if (fullAtOf(bucket) <= now) return 0;
  const { limits } = policy;
  const level = (limit: Limit, i: number): number => (usedIn(bucket, policy, i, now) + limit.p) / limit.full;
  return limits.length === 1 ? level(limits[0], 0) : Math.max(...limits.map(level));
}
