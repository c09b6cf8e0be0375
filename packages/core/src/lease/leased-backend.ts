import { type Awaitable, type Backend, type BackendReply, isPromise, type KeyScope } from "../backend/backend.ts";
import type { HandedBack, LeaseGrant } from "../backend/lease.ts";
import type { Policy } from "../policy/policy.ts";
import { Deadlines } from "../resilience/deadlines.ts";
import { isMistake } from "../resilience/failure.ts";
import type { ResilientBackend } from "../resilience/resilient-backend.ts";
import { processTime, type Time, type Timer } from "../time.ts";
import { KeyLease, type WaitingCall } from "./key-lease.ts";
import { LeaseTable } from "./lease-table.ts";
import { clockMs, type LeaseTerms, leaseTerms } from "./lease-terms.ts";

/** How long closing waits for requests in flight, so that it can hand back what they grant, in ms. */
const lastGrantsMs = 50;
/** The longest that a blocked key is not leased, in ms. After that, the backend is asked whether it is still blocked. */
const longestQuietMs = 1000;

/** A backend that decides most calls on busy keys of policies with `lease` from tokens that it has taken in advance. */
export class LeasedBackend implements Backend {
  readonly #backend: ResilientBackend;
  readonly #time: Time;
  readonly #table = new LeaseTable();
  readonly #terms = new WeakMap<Policy, LeaseTerms | "none">();
  /** The keys with tokens in hand. */
  readonly #held = new Set<KeyLease>();
  /** The keys with a request for tokens in flight. */
  readonly #asking = new Set<KeyLease>();
  readonly #deadlines: Deadlines;
  #timer: Timer | undefined;
  #closing: Promise<void> | undefined;

  constructor(backend: ResilientBackend, time: Time = processTime) {
    this.#backend = backend;
    this.#time = time;
    this.#deadlines = new Deadlines(backend.timeoutMs, time);
  }

  take(scope: KeyScope, key: string, cost: number): Awaitable<BackendReply> {
    if (!(scope.policy.leaseMs > 0) && this.#table.isEmpty) return this.#backend.take(scope, key, cost);
    const lease = this.#leaseOf(scope, key);
    if (lease === undefined || this.#closing !== undefined) return this.#backend.take(scope, key, cost);
    const call = { method: "take", scope, key, tokens: cost } as const;
    return lease.scope.policy === scope.policy && cost > 0 ? this.#takeLeased(lease, cost) : this.#afterLease(lease, call);
  }

  adjust(scope: KeyScope, key: string, tokens: number): Awaitable<BackendReply> {
    const lease = this.#table.isEmpty ? undefined : this.#table.find(scope, key);
    if (lease === undefined) return this.#backend.adjust(scope, key, tokens);
    return this.#afterLease(lease, { method: "adjust", scope, key, tokens });
  }

  async block(scope: KeyScope, key: string, ms: number): Promise<void> {
    const lease = this.#table.find(scope, key);
    if (lease === undefined) return this.#backend.block(scope, key, ms);
    await this.#afterLease(lease, { method: "block", scope, key, tokens: ms });
  }

  async reset(scope: KeyScope, key: string): Promise<void> {
    const lease = this.#table.find(scope, key);
    if (lease === undefined) return this.#backend.reset(scope, key);
    await this.#afterLease(lease, { method: "reset", scope, key, tokens: 0 });
  }

  /** Hands back all tokens, decides all pending calls, then closes the backend. A second call does nothing. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#timer?.cancel();
    for (const lease of this.#held) this.#handBack(lease);
    for (const { waiting } of this.#asking) for (const call of waiting.splice(0)) call.send();
    if (this.#asking.size > 0) await this.#lastGrants();
    await this.#backend.close();
  }

  /** Resolves when all requests in flight have been answered, or after 50 ms: what they grant later ends by itself. */
  async #lastGrants(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = this.#time.later(resolve, lastGrantsMs);
      void Promise.all([...this.#asking].flatMap(({ asking }) => asking ?? [])).then(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  /** Returns what is known of the key, if it may be leased or has been. */
  #leaseOf(scope: KeyScope, key: string): KeyLease | undefined {
    const known = this.#table.find(scope, key);
    if (known !== undefined && (known.scope.policy === scope.policy || known.isInUse)) return known;
    const terms = this.#termsOf(scope.policy);
    if (terms === undefined) return undefined;
    const lease = new KeyLease(scope, key, terms, this.#time.now());
    this.#table.add(lease);
    return lease;
  }

  #termsOf(policy: Policy): LeaseTerms | undefined {
    if (!(policy.leaseMs > 0)) return undefined;
    const known = this.#terms.get(policy);
    if (known !== undefined) return known === "none" ? undefined : known;
    const terms = leaseTerms(policy);
    this.#terms.set(policy, terms ?? "none");
    return terms;
  }

  #takeLeased(lease: KeyLease, cost: number): Awaitable<BackendReply> {
    const now = this.#time.now();
    lease.count(cost, now);
    const { scope, key } = lease;
    if (lease.waiting.length === 0) {
      const reply = lease.decide(cost, now);
      if (reply !== undefined) {
        if (lease.isLow(cost, now)) this.#ask(lease, cost, now, lease.handBackSpent(now));
        return reply;
      }
      if (lease.asking === undefined) {
        if (!lease.isHot(now)) return this.#afterLease(lease, { method: "take", scope, key, tokens: cost });
        this.#ask(lease, cost, now, lease.handBackAll(now));
        return this.#wait(lease, { method: "take", scope, key, tokens: cost }, cost, true);
      }
    }
    return this.#wait(lease, { method: "take", scope, key, tokens: cost }, cost, false);
  }

  /** Makes a call that only the backend can make, after the tokens in hand have been handed back. */
  #afterLease<T>(lease: KeyLease, call: Call): Awaitable<T> {
    if (lease.asking !== undefined || lease.waiting.length > 0) return this.#wait(lease, call, undefined, false);
    this.#handBack(lease);
    return this.#send(call);
  }

  #send<T>({ method, scope, key, tokens }: Call): Awaitable<T> {
    return this.#backend[method](scope, key, tokens) as Awaitable<T>;
  }

  /** Makes a call when the request in flight has been answered, in its turn. The deadline covers all of it. */
  #wait<T>(lease: KeyLease, call: Call, cost: number | undefined, hasAsked: boolean): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = (decide: () => Awaitable<T>): void => {
        try {
          resolve(decide());
        } catch (error) {
          reject(error);
        }
      };
      const giveUp = (error?: unknown): void => {
        waiting.isOver = true;
        settle(() => this.#backend.withoutBackend(call, error) as T);
      };
      const deadline = this.#deadlines.start(giveUp);
      const waiting: WaitingCall = {
        cost,
        hasAsked,
        isOver: false,
        reply: (reply) => void (this.#deadlines.finish(deadline) && settle(() => reply as T)),
        send: () => {
          const finish = (): boolean => this.#deadlines.finish(deadline);
          Promise.resolve(this.#send<T>(call)).then(
            (answer) => finish() && resolve(answer),
            (error: unknown) => finish() && reject(error),
          );
        },
        giveUp: (error) => void (this.#deadlines.finish(deadline) && giveUp(error)),
      };
      lease.waiting.push(waiting);
    });
  }

  /** Asks for more tokens. */
  #ask(lease: KeyLease, cost: number, now: number, handBack: readonly HandedBack[]): void {
    const { scope, key, terms } = lease;
    const request = { tokens: lease.want(cost), horizonMs: terms.horizonMs, validMs: terms.validMs + clockMs, handBack };
    this.#asking.add(lease);
    lease.asking = Promise.resolve(this.#backend.lease(scope, key, request)).then(
      (grant) => this.#granted(lease, grant, now),
      (error: unknown) => this.#failed(lease, error),
    );
  }

  #granted(lease: KeyLease, grant: LeaseGrant, sentAt: number): void {
    const now = this.#answered(lease);
    lease.granted(grant, sentAt, now);
    if (grant.blockedMs > 0) lease.quiet(Math.min(grant.blockedMs, longestQuietMs), now);
    if (grant.blockedMs > 0 || this.#closing !== undefined) this.#handBack(lease);
    else {
      this.#held.add(lease);
      this.#sweepLater(lease.terms);
    }
    this.#serve(lease, now);
  }

  /** Makes the calls that waited, in order, until one of them needs more tokens. */
  #serve(lease: KeyLease, now: number): void {
    for (let call = lease.waiting[0]; call !== undefined; call = lease.waiting[0]) {
      const { cost } = call;
      if (call.isOver) {
        lease.waiting.shift();
        continue;
      }
      const reply = cost === undefined ? undefined : lease.decide(cost, now);
      if (reply === undefined && cost !== undefined && !call.hasAsked && lease.isHot(now) && this.#closing === undefined) {
        call.hasAsked = true;
        this.#ask(lease, cost, now, lease.handBackAll(now));
        return;
      }
      lease.waiting.shift();
      if (reply !== undefined) call.reply(reply);
      else {
        this.#handBack(lease);
        call.send();
      }
    }
  }

  #answered(lease: KeyLease): number {
    lease.asking = undefined;
    this.#asking.delete(lease);
    return this.#time.now();
  }

  /** Decides the calls that waited for a request which failed. Tokens in hand are spent first. */
  #failed(lease: KeyLease, error: unknown): void {
    const now = this.#answered(lease);
    lease.quiet(lease.terms.horizonMs, now);
    for (const call of lease.waiting.splice(0)) {
      const reply = call.cost === undefined || call.isOver ? undefined : lease.decide(call.cost, now);
      if (reply !== undefined) call.reply(reply);
      else if (isMistake(error)) call.send();
      else call.giveUp(error);
    }
  }

  /** Hands back all tokens of a key. */
  #handBack(lease: KeyLease): void {
    if (!lease.hasLots) return;
    this.#held.delete(lease);
    this.#return(lease, lease.handBackAll(this.#time.now()));
  }

  /** Sends back tokens. If that fails, they come back by themselves when their generation ends. */
  #return(lease: KeyLease, handBack: readonly HandedBack[]): void {
    if (handBack.length === 0) return;
    const { scope, key, terms } = lease;
    const answer = this.#backend.lease(scope, key, { tokens: 0, horizonMs: terms.horizonMs, validMs: terms.validMs + clockMs, handBack });
    if (isPromise(answer)) answer.catch(() => {});
  }

  #sweepLater({ horizonMs }: LeaseTerms): void {
    if (this.#timer !== undefined) return;
    const ms = Math.max(1, horizonMs / 8);
    this.#timer = this.#time.later(() => this.#sweep(ms), ms);
    this.#timer.unref();
  }

  /** Hands back the tokens of keys that have become idle, and tokens that would end before the next sweep. */
  #sweep(ms: number): void {
    this.#timer = undefined;
    const now = this.#time.now();
    let next: LeaseTerms | undefined;
    for (const lease of this.#held) {
      if (lease.asking === undefined) this.#sweepKey(lease, 2 * ms, now);
      if (!lease.hasLots) this.#held.delete(lease);
      else if (next === undefined || lease.terms.horizonMs < next.horizonMs) next = lease.terms;
    }
    if (next !== undefined) this.#sweepLater(next);
  }

  #sweepKey(lease: KeyLease, ms: number, now: number): void {
    const ending = lease.isIdle(now) ? lease.handBackAll(now) : lease.handBackEnding(ms, now);
    if (ending.length > 0 && lease.hasLots && lease.isLow(1, now)) this.#ask(lease, 1, now, ending);
    else this.#return(lease, ending);
  }
}

/** A call that only the backend can make. */
interface Call {
  readonly method: "take" | "adjust" | "block" | "reset";
  readonly scope: KeyScope;
  readonly key: string;
  readonly tokens: number;
}
