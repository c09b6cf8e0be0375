import type { BackendReply, KeyScope } from "../backend/backend.ts";
import { BucketTable } from "../backend/memory/bucket-table.ts";
import type { Found } from "../backend/memory/packed-bucket.ts";
import { processClock } from "../clock.ts";
import type { Policy } from "../policy/policy.ts";
import { fits } from "../policy/token-bucket.ts";
import { processTime, type Time, type Timer } from "../time.ts";

/**
 * How long a key that was seen used up may be refused from memory, in ms: a refund by another process counts no later. A little less than
 * the second after which a waiting call looks again, so that it looks at the backend.
 */
const freshMs = 990;
/** Keys seen used up in the last second, at the most; of more, those of the second before are forgotten first. */
const mostFresh = 10_000;
/** Calls under way are counted by a number made of the key: a Map of them would cost more than the rest of a call. A power of two. */
const counters = 8192;

/** That a key was used up when the backend was asked. How much is in use stands in the table. */
interface Fresh {
  readonly policy: Policy;
  /** When the call was sent, and how many ms passed until its answer, from which the table counts. */
  readonly sentAt: number;
  readonly latencyMs: number;
}

/** What a table is for. */
interface Kept {
  /** What is in use of each key, for outages. */
  readonly states: boolean;
  /** Which keys were used up a moment ago, to refuse them without asking. */
  readonly refusals: boolean;
}

type FreshKeys = Map<string, Map<string, Fresh>>;

/** A table of this process, which another one tells what has changed. */
interface Peer {
  forget(scope: KeyScope, key: string): void;
}

const registry = Symbol.for("@ratelimit/core/last-seen");

/** All tables of this process, those of other copies of this package included. */
function peers(): Set<WeakRef<Peer>> {
  const shared = globalThis as { [registry]?: Set<WeakRef<Peer>> };
  shared[registry] ??= new Set();
  return shared[registry];
}

/**
 * Remembers what a backend last said of each key, in one bounded table for all limiters.
 *
 * It serves twice. In an outage a local bucket starts from it, so a key that was refused stays refused. And a key that was used up
 * less than a second ago is refused without asking: others can only have taken more, so the answer is certain. Counted from when that call
 * was sent, a refusal lasts no longer than the backend's own.
 */
export class LastSeen implements Peer {
  readonly #keeps: Kept;
  readonly #time: Time;
  readonly #table: BucketTable;
  /** The keys seen used up in this second, by prefix, and in the one before. */
  #fresh: FreshKeys = new Map();
  #older: FreshKeys = new Map();
  #freshCount = 0;
  #timer: Timer | undefined;
  readonly #underWay = new Int32Array(counters);
  /** Of each counter the latest call whose answer was noted. Answers may be handled in another order than that of the calls. */
  readonly #noted = new Float64Array(counters);
  #calls = 0;
  /** Counters with calls under way whose answers may be older than what another backend has changed. */
  readonly #outdated = new Set<number>();
  readonly #self = new WeakRef<Peer>(this);

  constructor(maxKeys: number, keeps: Kept, time: Time = processTime) {
    this.#keeps = keeps;
    this.#time = time;
    // The table tells its reading of the process clock only if it was given that one.
    this.#table = new BucketTable(maxKeys, time === processTime ? processClock : time);
    peers().add(this.#self);
  }

  /** Counts a call on its way to the backend. Returns its ticket, which `leave` and whatever notes its answer need. */
  enter(scope: KeyScope, key: string): number {
    const counter = counterOf(scope, key);
    this.#underWay[counter] = (this.#underWay[counter] as number) + 1;
    return ++this.#calls * counters + counter;
  }

  /** Ends a call that was answered or given up. */
  leave(ticket: number): void {
    const counter = ticket % counters;
    const left = (this.#underWay[counter] as number) - 1;
    this.#underWay[counter] = left;
    if (left === 0) this.#outdated.delete(counter);
  }

  /**
   * Refuses a call that the backend is certain to refuse.
   *
   * Never while a call on the key is under way: a refund made a moment ago may be about to change the answer.
   */
  refusal(scope: KeyScope, key: string, cost: number): BackendReply | undefined {
    const fresh = this.#fresh.get(scope.prefix)?.get(key) ?? this.#older.get(scope.prefix)?.get(key);
    if (fresh?.policy !== scope.policy || (this.#underWay[counterOf(scope, key)] as number) > 0) return undefined;
    const { used, blockedMs, at } = this.#table.take(scope, key, 0);
    if ((at ?? this.#time.now()) - fresh.sentAt >= freshMs) return undefined;
    if (!isCertain(scope.policy, used, blockedMs ?? 0, cost, fresh.latencyMs)) return undefined;
    // Not by spreading: that would take longer than all of the above.
    return blockedMs === undefined
      ? { allowed: false, used, source: "deny-cache", at }
      : { allowed: false, used, source: "deny-cache", at, blockedMs };
  }

  /** Notes the backend's answer to a take that was sent at `sentAt`. */
  took(ticket: number, scope: KeyScope, key: string, cost: number, take: BackendReply, sentAt: number): void {
    const isCurrent = this.#isCurrent(ticket);
    // A look does not count as an answer that is certain: it shows a debt that the next call would cut down.
    const isFresh = isCurrent && this.#keeps.refusals && cost > 0 && isUsedUp(scope.policy, take);
    if (isCurrent && (this.#keeps.states || isFresh)) this.#write(scope, key, take);
    if (isFresh) this.#remember(scope, key, sentAt);
    else this.doubt(scope, key);
  }

  /** Notes the backend's answer to a charge or a refund. */
  adjusted(ticket: number, scope: KeyScope, key: string, tokens: number, take: BackendReply): void {
    if (this.#isCurrent(ticket) && this.#keeps.states) this.#write(scope, key, take);
    this.doubt(scope, key);
    if (tokens < 0) this.#tellPeers(scope, key);
  }

  /** Notes that the backend has blocked a key. */
  blocked(ticket: number, scope: KeyScope, key: string, ms: number): void {
    if (this.#isCurrent(ticket) && this.#keeps.states) this.#table.block(scope, key, ms);
    this.doubt(scope, key);
    this.#tellPeers(scope, key);
  }

  /** Notes that the backend has reset a key. */
  wasReset(ticket: number, scope: KeyScope, key: string): void {
    if (this.#isCurrent(ticket)) this.#table.reset(scope, key);
    this.doubt(scope, key);
    this.#tellPeers(scope, key);
  }

  /** Makes sure that the backend is asked next time. */
  doubt({ prefix }: KeyScope, key: string): void {
    if (this.#fresh.size > 0) this.#fresh.get(prefix)?.delete(key);
    if (this.#older.size > 0) this.#older.get(prefix)?.delete(key);
  }

  /** Forgets a key that another backend of this process has changed. Answers to calls that are under way are not noted. */
  forget(scope: KeyScope, key: string): void {
    const counter = counterOf(scope, key);
    if ((this.#underWay[counter] as number) > 0) this.#outdated.add(counter);
    if (this.#table.keys > 0) this.#table.reset(scope, key);
    this.doubt(scope, key);
  }

  /** What of a bucket is in use by now, and how long it stays blocked. */
  read(scope: KeyScope, key: string): Found {
    return this.#table.read(scope, key);
  }

  /** Puts a bucket into the state that this process has decided on alone. */
  write(scope: KeyScope, key: string, used: readonly number[], blockedMs: number): void {
    this.#table.write(scope, key, used, blockedMs);
    this.doubt(scope, key);
  }

  /** Blocks a key. */
  block(scope: KeyScope, key: string, ms: number): void {
    this.#table.block(scope, key, ms);
    this.doubt(scope, key);
  }

  close(): void {
    peers().delete(this.#self);
    this.#table.close();
    this.#timer?.cancel();
    this.#fresh = new Map();
    this.#older = new Map();
  }

  /** Whether nothing newer is known of the key than the answer to this call. */
  #isCurrent(ticket: number): boolean {
    const counter = ticket % counters;
    if (this.#outdated.has(counter) || ticket < (this.#noted[counter] as number)) return false;
    this.#noted[counter] = ticket;
    return true;
  }

  #write(scope: KeyScope, key: string, { used, blockedMs }: BackendReply): void {
    this.#table.write(scope, key, used, blockedMs);
  }

  #remember({ prefix, policy }: KeyScope, key: string, sentAt: number): void {
    if (this.#freshCount >= mostFresh) this.#forgetOlder();
    const keys = this.#fresh.get(prefix) ?? new Map<string, Fresh>();
    this.#fresh.set(prefix, keys.set(key, { policy, sentAt, latencyMs: Math.ceil(this.#time.now() - sentAt) }));
    this.#freshCount++;
    if (this.#timer === undefined) this.#forgetLater();
  }

  /** Lets nothing stay for longer than two seconds, though nobody calls any more. */
  #forgetLater(): void {
    this.#timer = this.#time.later(() => {
      this.#timer = undefined;
      this.#forgetOlder();
      if (this.#older.size > 0) this.#forgetLater();
    }, freshMs);
    this.#timer.unref();
  }

  #forgetOlder(): void {
    this.#older = this.#fresh;
    this.#fresh = new Map();
    this.#freshCount = 0;
  }

  #tellPeers(scope: KeyScope, key: string): void {
    for (const peer of peers()) {
      const other = peer.deref();
      if (other === undefined) peers().delete(peer);
      else if (other !== this) other.forget(scope, key);
    }
  }
}

/** Whether a call of cost 1 would be refused now, or this one was. */
function isUsedUp({ limits }: Policy, { allowed, used }: BackendReply): boolean {
  if (!allowed) return true;
  return typeof used === "number" ? !fits(limits[0], used, 1) : limits.some((limit, i) => !fits(limit, used[i] as number, 1));
}

/** Whether the backend refuses a call of `cost`, if this much was in use when its answer came, and it may have counted from `latencyMs` before. */
function isCertain({ limits, blockMs }: Policy, used: BackendReply["used"], blockedMs: number, cost: number, latencyMs: number): boolean {
  if (blockedMs > latencyMs) return true;
  // Once a block is over, the next refusal starts another one, and only the backend can do that.
  if (blockMs > 0) return false;
  if (typeof used === "number") return !fits(limits[0], used - latencyMs * limits[0].unitsPerMs, cost);
  return limits.some((limit, i) => !fits(limit, (used[i] as number) - latencyMs * limit.unitsPerMs, cost));
}

/** A number made of the characters in which most keys and prefixes differ. */
function counterOf({ prefix }: KeyScope, key: string): number {
  const { length } = key;
  let hash = length + prefix.length + prefix.charCodeAt(prefix.length - 2);
  for (let i = length > 12 ? length - 12 : 0; i < length; i++) hash = (Math.imul(hash, 31) + key.charCodeAt(i)) | 0;
  return (hash ^ (hash >>> 13)) & (counters - 1);
}
