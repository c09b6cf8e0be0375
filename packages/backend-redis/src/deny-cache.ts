import { performance } from "node:perf_hooks";
import { type Awaitable, type Backend, type Clock, type Policy, retryMsOf, type Scope, type Take } from "@ratelimit/core";

/** A refusal that still holds. */
interface Denial {
  /** The policy it was made by: another one may admit. */
  readonly policy: Policy;
  /** Tokens that were refused; less might fit. */
  readonly cost: number;
  /** Until when, in ms of the process clock, the same call would be refused again. */
  readonly until: number;
  /** When the answer came; what was in use has drained since. */
  readonly seenAt: number;
  readonly used: Take["used"];
  readonly blockedMs: number;
}

/** Another process's refund or reset is seen within this time, in ms. */
const longestMs = 1000;
/** Denials that are kept of a limiter at the most; beyond, the oldest goes, which costs one call of Redis. */
const most = 10_000;

/**
 * Remembers refusals for as long as they cannot turn into anything else.
 *
 * A bucket that refused a cost at some moment after the call was sent refuses it, and any greater one, until `retryAfter` has passed
 * since: others can only take more. So nothing is admitted that Redis would refuse, and a client that hammers costs Redis nothing.
 * What can change that is a refund, a reset or a new policy: our own clear the denial, another process's is seen within a second.
 */
export class DenyCache {
  /** What calls are sent by, too. */
  readonly clock: Clock;
  /** By the limiter's prefix, then by key as the caller wrote it: a refusal needs no text put together. */
  readonly #denials = new Map<string, Map<string, Denial>>();

  constructor(clock: Clock = performance) {
    this.clock = clock;
  }

  /** The refusal of a call that is certain to be refused. */
  find(scope: Scope, key: string, cost: number): Take | undefined {
    const denial = this.#denials.get(scope.prefix)?.get(key);
    if (denial === undefined) return undefined;
    const at = this.clock.now();
    if (at >= denial.until || denial.policy !== scope.policy) {
      this.forget(scope, key);
      return undefined;
    }
    if (cost < denial.cost) return undefined;
    const ms = Math.floor(at - denial.seenAt);
    const blockedMs = denial.blockedMs - ms;
    return { allowed: false, used: drained(denial, ms), source: "deny-cache", at, ...(blockedMs > 0 && { blockedMs }) };
  }

  /**
   * Notes the answer to a call that was sent at `sentAt`: what was admitted is in use by now, so an older denial tells too little.
   * A look is not noted, for it leaves in Redis what a call would cut down to the debt of one burst.
   */
  note(scope: Scope, key: string, cost: number, { allowed, used, blockedMs = 0 }: Take, sentAt: number): void {
    if (cost === 0) return;
    if (allowed) {
      this.forget(scope, key);
      return;
    }
    const { prefix, policy } = scope;
    // Once a block is over, the next refusal starts another one, and only the backend can do that.
    const own = policy.blockMs > 0 ? [] : policy.limits.map((limit, i) => retryMsOf(limit, unitsOf(used, i), cost));
    const wait = Math.max(blockedMs, ...own);
    const denials = this.#denials.get(prefix) ?? new Map<string, Denial>();
    this.#denials.set(prefix, denials);
    if (denials.size >= most) forgetOldest(denials);
    denials.set(key, { policy, cost, until: sentAt + Math.min(longestMs, wait), seenAt: this.clock.now(), used, blockedMs });
  }

  forget({ prefix }: Scope, key: string): void {
    this.#denials.get(prefix)?.delete(key);
  }
}

/** Answers what is certain to be refused, and asks a backend that notes its answers for all else. */
export class Denying implements Backend {
  readonly #asked: Backend;
  readonly #denials: DenyCache;

  constructor(asked: Backend, denials: DenyCache) {
    this.#asked = asked;
    this.#denials = denials;
  }

  /** A cost of 0 only looks, and is to see what there is. */
  take(scope: Scope, key: string, cost: number): Awaitable<Take> {
    const denial = cost === 0 ? undefined : this.#denials.find(scope, key, cost);
    return denial ?? this.#asked.take(scope, key, cost);
  }

  async adjust(scope: Scope, key: string, tokens: number): Promise<Take> {
    const take = await this.#asked.adjust(scope, key, tokens);
    this.#denials.forget(scope, key);
    return take;
  }

  async block(scope: Scope, key: string, ms: number): Promise<void> {
    await this.#asked.block(scope, key, ms);
    this.#denials.forget(scope, key);
  }

  async reset(scope: Scope, key: string): Promise<void> {
    await this.#asked.reset(scope, key);
    this.#denials.forget(scope, key);
  }

  close(): Awaitable<void> {
    return this.#asked.close();
  }
}

function drained({ policy: { limits }, used }: Denial, ms: number): Take["used"] {
  if (typeof used === "number") return Math.max(0, used - ms * limits[0].r);
  return limits.map(({ r }, i) => Math.max(0, unitsOf(used, i) - ms * r));
}

function unitsOf(used: Take["used"], i: number): number {
  return typeof used === "number" ? used : (used[i] as number);
}

function forgetOldest(denials: Map<string, Denial>): void {
  const [oldest] = denials.keys();
  if (oldest !== undefined) denials.delete(oldest);
}
