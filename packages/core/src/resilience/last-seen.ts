import type { BackendReply, KeyScope } from "../backend/backend.ts";
import type { Found } from "../backend/bucket.ts";
import { BucketTable } from "../backend/memory/bucket-table.ts";
import { processClock } from "../clock.ts";
import type { Policy } from "../policy/policy.ts";
import { fits } from "../policy/token-bucket.ts";
import { processWide } from "../process-wide.ts";
import { processTime, type Time, type Timer } from "../time.ts";

/**
 * How long an exhausted key may be refused from memory, in ms, which is also the longest that a refund by another process goes unnoticed.
 * A little less than the second after which a waiting call retries, so that the retry reaches the backend.
 */
const freshMs = 990;
/** The most exhausted keys to remember from the last second. Beyond that, those of the previous second are forgotten early. */
const mostFresh = 10_000;
/** Counters for calls in flight, indexed by a hash of the key: a Map would cost more than the rest of a call. A power of two. */
const counters = 8192;

/** Records that a key was exhausted when the backend was asked. The table knows how much of it is in use. */
interface Fresh {
  readonly policy: Policy;
  /** When the call was sent, and how many ms later its answer came. The table counts from the answer. */
  readonly sentAt: number;
  readonly latencyMs: number;
}

/** What to remember. */
interface Kept {
  /** The state of each key, for outages. */
  readonly states: boolean;
  /** Which keys were exhausted a moment ago, to refuse them without asking the backend. */
  readonly refusals: boolean;
}

type FreshKeys = Map<string, Map<string, Fresh>>;

/** A memory of another backend in this process, to be informed of changes. */
interface Peer {
  forget(scope: KeyScope, key: string): void;
}

/** All such memories in this process, including those of other copies of this package. */
function peers(): Set<WeakRef<Peer>> {
  return processWide("last-seen", () => new Set());
}

/**
 * Remembers a backend's last reply for each key, in one bounded table for all limiters.
 *
 * It has two uses. In an outage a local bucket starts from the remembered state, so a key that was refused stays refused. And a key that
 * was exhausted less than a second ago is refused without asking the backend: other processes can only have taken more. The refusal
 * counts from when that call was sent, so it lasts no longer than the backend's own.
 */
export class LastSeen implements Peer {
  readonly #keeps: Kept;
  readonly #time: Time;
  readonly #table: BucketTable;
  /** The keys seen exhausted in this second, by prefix; below, those of the second before. */
  #fresh: FreshKeys = new Map();
  #older: FreshKeys = new Map();
  #freshCount = 0;
  #timer: Timer | undefined;
  readonly #underWay = new Int32Array(counters);
  /** For each counter, the latest call whose answer was noted. Answers may arrive in another order than the calls. */
  readonly #noted = new Float64Array(counters);
  #calls = 0;
  /** Counters with calls in flight whose answers may be older than a change by another backend. */
  readonly #outdated = new Set<number>();
  readonly #self = new WeakRef<Peer>(this);

  constructor(maxKeys: number, keeps: Kept, time: Time = processTime) {
    this.#keeps = keeps;
    this.#time = time;
    // The table reports its clock readings only if it was given `processClock` itself.
    this.#table = new BucketTable(maxKeys, time === processTime ? processClock : time);
    peers().add(this.#self);
  }

  /** Counts a call that is sent to the backend. Returns its ticket, for `leave` and for the method that notes its answer. */
  enter(scope: KeyScope, key: string): number {
    const counter = counterOf(scope, key);
    this.#underWay[counter] = (this.#underWay[counter] as number) + 1;
    return ++this.#calls * counters + counter;
  }

  /** Ends a call that was answered or abandoned. */
  leave(ticket: number): void {
    const counter = ticket % counters;
    const left = (this.#underWay[counter] as number) - 1;
    this.#underWay[counter] = left;
    if (left === 0) this.#outdated.delete(counter);
  }

  /**
   * Refuses a call that the backend is certain to refuse, and returns `undefined` for all others.
   *
   * It never refuses while a call for the key is in flight, because that call may be a refund that changes the answer.
   */
  refusal(scope: KeyScope, key: string, cost: number): BackendReply | undefined {
    const fresh = this.#fresh.get(scope.prefix)?.get(key) ?? this.#older.get(scope.prefix)?.get(key);
    if (fresh?.policy !== scope.policy || (this.#underWay[counterOf(scope, key)] as number) > 0) return undefined;
    const { used, blockedMs, at } = this.#table.take(scope, key, 0);
    if ((at ?? this.#time.now()) - fresh.sentAt >= freshMs) return undefined;
    if (!isCertain(scope.policy, used, blockedMs ?? 0, cost, fresh.latencyMs)) return undefined;
    // Spreading would take longer than everything above.
    return blockedMs === undefined
      ? { allowed: false, used, source: "deny-cache", at }
      : { allowed: false, used, source: "deny-cache", at, blockedMs };
  }

  /** Notes the backend's answer to a take that was sent at `sentAt`. */
  took(ticket: number, scope: KeyScope, key: string, cost: number, take: BackendReply, sentAt: number): void {
    const isCurrent = this.#isCurrent(ticket);
    // A call of cost 0 cannot make a refusal certain: it may show a debt above the ceiling, which the next call would cut down.
    const isFresh = isCurrent && this.#keeps.refusals && cost > 0 && isUsedUp(scope.policy, take);
    if (isCurrent && (this.#keeps.states || isFresh)) this.#write(scope, key, take);
    if (isFresh) this.#remember(scope, key, sentAt);
    else this.doubt(scope, key);
  }

  /** Notes the backend's answer to a charge or a refund. */
  adjusted(ticket: number, scope: KeyScope, key: string, tokens: number, take: BackendReply): void {
    if (this.#isCurrent(ticket) && this.#keeps.states) this.#write(scope, key, take);
    this.doubt(scope, key);
    if (tokens < 0) this.#notifyPeers(scope, key);
  }

  /** Notes that the backend has blocked a key. */
  blocked(ticket: number, scope: KeyScope, key: string, ms: number): void {
    if (this.#isCurrent(ticket) && this.#keeps.states) this.#table.block(scope, key, ms);
    this.doubt(scope, key);
    this.#notifyPeers(scope, key);
  }

  /** Notes that the backend has reset a key. */
  wasReset(ticket: number, scope: KeyScope, key: string): void {
    if (this.#isCurrent(ticket)) this.#table.reset(scope, key);
    this.doubt(scope, key);
    this.#notifyPeers(scope, key);
  }

  /** Makes sure that the next call for the key asks the backend. */
  doubt({ prefix }: KeyScope, key: string): void {
    if (this.#fresh.size > 0) this.#fresh.get(prefix)?.delete(key);
    if (this.#older.size > 0) this.#older.get(prefix)?.delete(key);
  }

  /** Forgets a key that another backend in this process has changed. Answers to calls in flight are then ignored. */
  forget(scope: KeyScope, key: string): void {
    const counter = counterOf(scope, key);
    if ((this.#underWay[counter] as number) > 0) this.#outdated.add(counter);
    if (this.#table.keys > 0) this.#table.reset(scope, key);
    this.doubt(scope, key);
  }

  /** Reads how much of a bucket is in use now, and how long it stays blocked. */
  read(scope: KeyScope, key: string): Found {
    return this.#table.read(scope, key);
  }

  /** Stores the state of a bucket after this process decided alone. */
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

  /** Whether the answer to this call is the newest information about the key. */
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

  /** Makes sure that nothing stays for longer than two seconds, even without further calls. */
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

  #notifyPeers(scope: KeyScope, key: string): void {
    for (const peer of peers()) {
      const other = peer.deref();
      if (other === undefined) peers().delete(peer);
      else if (other !== this) other.forget(scope, key);
    }
  }
}

/** Whether this call was refused, or a call of cost 1 would be now. */
function isUsedUp({ limits }: Policy, { allowed, used }: BackendReply): boolean {
  if (!allowed) return true;
  return typeof used === "number" ? !fits(limits[0], used, 1) : limits.some((limit, i) => !fits(limit, used[i] as number, 1));
}

/**
 * Whether the backend is certain to refuse a call of `cost`. `used` counts from when its answer came, but the backend may have looked up
 * to `latencyMs` earlier.
 */
function isCertain({ limits, blockMs }: Policy, used: BackendReply["used"], blockedMs: number, cost: number, latencyMs: number): boolean {
  if (blockedMs > latencyMs) return true;
  // After a block ends, the next refusal starts another one, which only the backend can do.
  if (blockMs > 0) return false;
  if (typeof used === "number") return !fits(limits[0], used - latencyMs * limits[0].unitsPerMs, cost);
  return limits.some((limit, i) => !fits(limit, (used[i] as number) - latencyMs * limit.unitsPerMs, cost));
}

/** Hashes the characters in which most keys and prefixes differ. */
function counterOf({ prefix }: KeyScope, key: string): number {
  const { length } = key;
  let hash = length + prefix.length + prefix.charCodeAt(prefix.length - 2);
  for (let i = length > 12 ? length - 12 : 0; i < length; i++) hash = (Math.imul(hash, 31) + key.charCodeAt(i)) | 0;
  return (hash ^ (hash >>> 13)) & (counters - 1);
}
