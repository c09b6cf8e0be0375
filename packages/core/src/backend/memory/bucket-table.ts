import { type Clock, processClock } from "../../clock.ts";
import { RateLimitError } from "../../errors.ts";
import { expected } from "../../messages.ts";
import type { Policy } from "../../policy/policy.ts";
import { debtCeiling, fits, msUntilFull } from "../../policy/token-bucket.ts";
import { isPositiveInteger } from "../../validation.ts";
import type { BackendReply, KeyScope } from "../backend.ts";
import {
  adjustBucket,
  type Bucket,
  type BucketChange,
  blockBucket,
  type Found,
  isSameLimit,
  readEntries,
  takeFromBucket,
  writeEntries,
} from "../bucket.ts";
import { Cursor } from "./cursor.ts";
import { publishEviction } from "./evictions.ts";
import { Evictor } from "./evictor.ts";
import { entriesOf, fullAtOf, type PackedBucket, pack, packNumber, usedInNumber } from "./packed-bucket.ts";
import { type Generation, PrefixTable } from "./prefix-table.ts";
import type { Shard } from "./sharded-map.ts";
import { Sweeper, type Swept } from "./sweeper.ts";

/** The number of prefixes without buckets that may be kept. */
const spareTables = 64;

/** Where a bucket is stored, and what is in it. */
interface Place {
  readonly own: Generation;
  /** The shard that stores it now; `undefined` if the bucket is full. */
  readonly shard: Shard | undefined;
  readonly entries: Bucket;
}

/**
 * A bounded table of buckets in this process.
 *
 * A bucket stays until it is full. At `maxKeys`, a new bucket evicts the one nearest full among a few, at a constant average cost.
 * docs/memory.md explains what that protects.
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
  /** The scope of the last call, so that a process with one limiter needs no look-up. */
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

  /** Charges tokens (`tokens` > 0), even if fewer are left, or gives them back (< 0). */
  adjust(scope: KeyScope, key: string, tokens: number): BackendReply {
    return this.#change(scope, key, (bucket, now) => adjustBucket(bucket, scope.policy, tokens, now));
  }

  /** Refuses every call with a cost above 0 for at least `ms` milliseconds. */
  block(scope: KeyScope, key: string, ms: number): void {
    const now = this.#now();
    const place = this.#place(scope, key, now);
    this.#put(place, key, pack(blockBucket(place.entries, ms, now), place.own.limit, now), scope.policy);
  }

  /** Reads the units in use of every limit, even beyond the debt of one burst, and how long the key stays blocked. */
  read(scope: KeyScope, key: string): Found {
    const now = this.#now();
    return readEntries(this.#place(scope, key, now).entries, scope.policy, now);
  }

  /** Stores a state of a bucket that was computed elsewhere. */
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

  /** Deletes a bucket, which makes it full and lifts its block. */
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
      // A cursor keeps a reference to the maps it stopped in.
      cursor.rest();
      this.#evictor.rest();
    }
    return ended;
  }

  /** Handles nearly every call: without a list, with one clock reading, and with a single look-up if the bucket refuses. */
  #takeOne(scope: KeyScope, key: string, cost: number): BackendReply {
    const limit = scope.policy.limits[0];
    const table = this.#tableOf(scope);
    const own = table.ownOf(scope.policy);
    const shard = own.buckets.shardOf(key);
    const bucket = shard.get(key);
    if (bucket === undefined ? table.isMixed : typeof bucket !== "number" || !isSameLimit(own.limit, limit))
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
    const limit = policy.limits[0];
    const packed = used > 0 && isSameLimit(own.limit, limit) ? packNumber(limit, used, now) : undefined;
    if (packed === undefined) this.#store(placeOf(own, shard, bucket), key, policy, [used], 0, now);
    else if (bucket === undefined) this.#put(placeOf(own, shard, bucket), key, packed, policy);
    else shard.set(key, packed);
  }

  #takeAny(scope: KeyScope, key: string, cost: number): BackendReply {
    return this.#change(scope, key, (bucket, now) => takeFromBucket(bucket, scope.policy, cost, now));
  }

  #change(scope: KeyScope, key: string, change: (bucket: Bucket, now: number) => BucketChange): BackendReply {
    const now = this.#now();
    const place = this.#place(scope, key, now);
    const { reply, bucket } = change(place.entries, now);
    if (bucket !== undefined) this.#put(place, key, pack(bucket, place.own.limit, now), scope.policy);
    return reply;
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

  /** Stores a bucket in its policy's generation, and removes it from any other. */
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

function placeOf(own: Generation, shard: Shard, bucket: PackedBucket | undefined): Place {
  return { own, shard: bucket === undefined ? undefined : shard, entries: [] };
}

/** From this length on, V8 makes a substring a slice, which keeps the whole original string in memory. */
const shortestSlice = 13;

/** Copies the key unless it is short, so that it does not keep a longer string in memory. */
function ownCopy(key: string): string {
  if (key.length < shortestSlice) return key;
  const codes = Array.from({ length: key.length }, (_, i) => key.charCodeAt(i));
  return String.fromCharCode(...codes);
}
