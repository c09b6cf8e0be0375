import { type Clock, processClock } from "../../clock.ts";
import { RateLimitError } from "../../errors.ts";
import { expected } from "../../messages.ts";
import type { Policy } from "../../policy/policy.ts";
import { adjusted, debtCeiling, fits, msUntilFull, unchargedOf } from "../../policy/token-bucket.ts";
import { isPositiveInteger } from "../../validation.ts";
import type { BackendReply, KeyScope } from "../backend.ts";
import { Cursor } from "./cursor.ts";
import { publishEviction } from "./evictions.ts";
import { Evictor } from "./evictor.ts";
import {
  blockEntries,
  type Entry,
  entriesOf,
  type Found,
  fullAtOf,
  type PackedBucket,
  pack,
  packNumber,
  readEntries,
  usedInNumber,
  writeEntries,
} from "./packed-bucket.ts";
import { type Generation, PrefixTable } from "./prefix-table.ts";
import type { Shard } from "./sharded-map.ts";
import { Sweeper, type Swept } from "./sweeper.ts";

/** Prefixes without any bucket that may be kept. */
const spareTables = 64;

/** Where a bucket lies, and what it holds. */
interface Place {
  readonly own: Generation;
  /** The shard that holds it now; `undefined` if it is full. */
  readonly shard: Shard | undefined;
  readonly entries: readonly Entry[];
}

/**
 * A bounded table of buckets in this process.
 *
 * A bucket stays until it is full. At `maxKeys` the bucket nearest full among a few is forgotten for a new one, at a constant price on
 * average: docs/memory.md says what that protects.
 */
export class BucketTable implements Swept {
  readonly inProcess = true;
  readonly #maxKeys: number;
  readonly #clock: Clock;
  readonly #origin: number;
  readonly #onProcessClock: boolean;
  readonly #tables = new Map<string, PrefixTable>();
  readonly #sweeper = new Sweeper(this);
  readonly #sweepCursor = new Cursor(this.#tables);
  readonly #evictor = new Evictor(this.#tables);
  /** The scope of the last call: a process with one limiter finds its buckets without a look-up. */
  #lastScope: KeyScope | undefined;
  #lastTable: PrefixTable | undefined;
  #keys = 0;
  #evictions = 0;

  /** @throws {RateLimitError} INVALID_OPTION if `maxKeys` is not a positive integer or the clock does not read a number. */
  constructor(maxKeys: number, clock: Clock = processClock) {
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

  /** Takes `cost` tokens from every limit of the policy, or from none. */
  take(scope: KeyScope, key: string, cost: number): BackendReply {
    const { limits, blockMs } = scope.policy;
    return limits.length === 1 && blockMs === 0 ? this.#takeOne(scope, key, cost) : this.#takeAny(scope, key, cost);
  }

  /** Charges (`tokens` > 0) or gives back (< 0), whatever is left. */
  adjust(scope: KeyScope, key: string, tokens: number): BackendReply {
    const { policy } = scope;
    const now = this.#now();
    const place = this.#place(scope, key, now);
    const found = readEntries(place.entries, policy, now);
    const before = clamped(policy, found);
    const used = policy.limits.map((limit, i) => adjusted(limit, before[i] as number, tokens));
    this.#store(place, key, policy, used, found.blockedMs, now);
    const uncharged = Math.max(...policy.limits.map((limit, i) => unchargedOf(limit, before[i] as number, tokens)));
    return { allowed: true, used: oneOrAll(used), uncharged, ...blocked(found.blockedMs) };
  }

  /** Refuses every call with a cost for at least `ms` milliseconds. */
  block(scope: KeyScope, key: string, ms: number): void {
    const now = this.#now();
    const place = this.#place(scope, key, now);
    this.#put(place, key, pack(blockEntries(place.entries, now + ms, now), place.own.limit, now), scope.policy);
  }

  /** Units in use of every limit, even beyond the debt of one burst, and how long the key stays blocked. */
  read(scope: KeyScope, key: string): Found {
    const now = this.#now();
    return readEntries(this.#place(scope, key, now).entries, scope.policy, now);
  }

  /** Puts a bucket into a state that was worked out elsewhere. */
  write(scope: KeyScope, key: string, used: BackendReply["used"], blockedMs: number = 0): void {
    const { policy } = scope;
    const now = this.#now();
    const table = this.#tableOf(scope);
    const own = table.ownOf(policy);
    if (typeof used === "number" && blockedMs === 0 && !table.isMixed) {
      const shard = own.buckets.shardOf(key);
      this.#putOne(own, shard, key, shard.get(key), policy, used, now);
    } else
      this.#store({ ...this.#place(scope, key, now), entries: [] }, key, policy, typeof used === "number" ? [used] : used, blockedMs, now);
  }

  /** Forgets a bucket: it is full, and not blocked. */
  reset(scope: KeyScope, key: string): void {
    this.#drop(this.#place(scope, key, this.#now()).shard, key);
  }

  close(): void {
    this.#sweeper.stop();
    this.#tables.clear();
    this.#lastScope = this.#lastTable = undefined;
    this.#sweepCursor.rest();
    this.#evictor.rest();
    this.#keys = 0;
  }

  /** Called by the sweeper. */
  sweep(looks: number): boolean {
    const now = this.#now();
    const cursor = this.#sweepCursor;
    let ended = false;
    for (let i = looks; i > 0 && !ended; i--) {
      ended = !cursor.next();
      if (!ended && fullAtOf(cursor.bucket) <= now) this.#drop(cursor.shard, cursor.key);
    }
    if (ended || this.#keys === 0) this.#dropDrained();
    if (this.#keys === 0) {
      // A cursor that rests holds on to what it stood in.
      cursor.rest();
      this.#evictor.rest();
    }
    return ended;
  }

  /** Nearly every call: no list, one reading of the clock, and one look-up if the bucket refuses. */
  #takeOne(scope: KeyScope, key: string, cost: number): BackendReply {
    const limit = scope.policy.limits[0];
    const table = this.#tableOf(scope);
    const own = table.ownOf(scope.policy);
    const shard = own.buckets.shardOf(key);
    const bucket = shard.get(key);
    if (typeof bucket === "number" ? !isOwn(own, scope.policy) : bucket !== undefined || table.isMixed)
      return this.#takeAny(scope, key, cost);
    const at = this.#clock.now();
    const now = Math.floor(at - this.#origin);
    const claimed = bucket === undefined ? 0 : usedInNumber(bucket as number, limit, now);
    const before = Math.min(claimed, debtCeiling(limit));
    const allowed = fits(limit, before, cost);
    const used = allowed ? before + cost * limit.unitsPerToken : before;
    if ((cost > 0 && allowed) || claimed > before) this.#putOne(own, shard, key, bucket, scope.policy, used, now);
    return { allowed, used, at: this.#onProcessClock ? at : undefined };
  }

  #putOne(own: Generation, shard: Shard, key: string, bucket: PackedBucket | undefined, policy: Policy, used: number, now: number): void {
    const [limit] = policy.limits;
    const packed = isOwn(own, policy) && used > 0 ? packNumber(limit, used, now) : undefined;
    const place = { own, shard: bucket === undefined ? undefined : shard, entries: [] };
    if (packed === undefined) this.#store(place, key, policy, [used], 0, now);
    else if (bucket === undefined) this.#put(place, key, packed, policy);
    else shard.set(key, packed);
  }

  #takeAny(scope: KeyScope, key: string, cost: number): BackendReply {
    const { policy } = scope;
    const { limits, blockMs } = policy;
    const now = this.#now();
    const place = this.#place(scope, key, now);
    const found = readEntries(place.entries, policy, now);
    const before = clamped(policy, found);
    const fitsAll = limits.every((limit, i) => fits(limit, before[i] as number, cost));
    const allowed = fitsAll && (cost === 0 || found.blockedMs === 0);
    const used = allowed ? limits.map((limit, i) => (before[i] as number) + cost * limit.unitsPerToken) : before;
    const startsBlock = !allowed && cost > 0 && blockMs > 0 && found.blockedMs === 0;
    const blockedMs = startsBlock ? blockMs : found.blockedMs;
    // A refusal, or a look, is stored only if its retryAfter would not come true otherwise.
    const mustStore = startsBlock || found.inherits || found.used.some((units, i) => units > (before[i] as number));
    if ((cost > 0 && allowed) || mustStore) this.#store(place, key, policy, used, blockedMs, now);
    return { allowed, used: oneOrAll(used), ...blocked(blockedMs) };
  }

  #now(): number {
    return Math.floor(this.#clock.now() - this.#origin);
  }

  #tableOf(scope: KeyScope): PrefixTable {
    if (scope === this.#lastScope) return this.#lastTable as PrefixTable;
    let table = this.#tables.get(scope.prefix);
    if (table === undefined) {
      if (this.#tables.size > this.#keys + spareTables) this.#dropDrained();
      table = new PrefixTable();
      this.#tables.set(scope.prefix, table);
    }
    this.#lastScope = scope;
    this.#lastTable = table;
    return table;
  }

  #place(scope: KeyScope, key: string, now: number): Place {
    const table = this.#tableOf(scope);
    const own = table.ownOf(scope.policy);
    const shard = own.buckets.shardOf(key);
    const packed = shard.get(key);
    if (packed !== undefined) return { own, shard, entries: entriesOf(packed, own.limit, now) };
    const found = table.isMixed ? table.find(key, now) : undefined;
    return { own, shard: found?.shard, entries: found?.entries ?? [] };
  }

  #store(place: Place, key: string, policy: Policy, used: readonly number[], blockedMs: number, now: number): void {
    this.#put(place, key, pack(writeEntries(place.entries, policy, used, blockedMs, now), place.own.limit, now), policy);
  }

  /** Puts a bucket into its policy's generation, and takes it out of another one. */
  #put({ own, shard: before }: Place, key: string, packed: PackedBucket | undefined, policy: Policy): void {
    if (packed === undefined) {
      this.#drop(before, key);
      return;
    }
    const shard = own.buckets.shardOf(key);
    if (before === shard) shard.set(key, packed);
    else {
      if (before === undefined) this.#makeRoom();
      else before.delete(key);
      shard.set(ownCopy(key), packed);
    }
    if (!this.#sweeper.isRunning) this.#sweeper.start(Math.max(...policy.limits.map((limit) => msUntilFull(limit, limit.capacityUnits))));
  }

  #drop(shard: Shard | undefined, key: string): void {
    if (shard?.delete(key)) this.#keys--;
  }

  #makeRoom(): void {
    if (this.#keys >= this.#maxKeys) this.#evict();
    this.#keys++;
  }

  #evict(): void {
    const { shard, key } = this.#evictor.choose(this.#now());
    this.#drop(shard, key);
    this.#evictions++;
    publishEviction({ count: 1 });
  }

  #dropDrained(): void {
    for (const [prefix, table] of this.#tables) {
      table.dropDrained();
      if (table.isEmpty) this.#tables.delete(prefix);
    }
    this.#lastScope = this.#lastTable = undefined;
  }
}

/** Whether numbers of a generation belong to the policy's only limit. */
function isOwn({ limit }: Generation, { limits: [own] }: Policy): boolean {
  return limit === own || limit.fingerprint === own.fingerprint;
}

function clamped({ limits }: Policy, { used }: Found): number[] {
  return limits.map((limit, i) => Math.min(used[i] as number, debtCeiling(limit)));
}

function oneOrAll(used: readonly number[]): number | readonly number[] {
  return used.length === 1 ? (used[0] as number) : used;
}

function blocked(blockedMs: number): { blockedMs?: number } {
  return blockedMs > 0 ? { blockedMs } : {};
}

/** The same key in a string of its own: a slice of a longer string would keep all of that in memory. */
function ownCopy(key: string): string {
  const codes = Array.from({ length: key.length }, (_, i) => key.charCodeAt(i));
  return String.fromCharCode(...codes);
}
