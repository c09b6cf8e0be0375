import { performance } from "node:perf_hooks";
import type { Limit, Policy, Scope, Take } from "@ratelimit/core";

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
  readonly used: readonly number[];
}

/** Another process's refund or reset is seen within this time, in ms. */
const longestMs = 1000;
/** Denials that are kept at the most; beyond, the oldest goes, which costs one call of Redis. */
const most = 10_000;

/**
 * Remembers refusals for as long as they cannot turn into anything else.
 *
 * A bucket that refused a cost at some moment after the call was sent refuses it, and any greater one, until `retryAfter` has passed
 * since: others can only take more. So nothing is admitted that Redis would refuse, and a client that hammers costs Redis nothing.
 * What can change that is a refund, a reset or a new policy: our own clear the denial, another process's is seen within a second.
 */
export class DenyCache {
  readonly #denials = new Map<string, Denial>();

  /** The refusal of a call that is certain to be refused. */
  find({ policy }: Scope, id: string, cost: number): Take | undefined {
    const denial = this.#denials.get(id);
    if (denial === undefined) return undefined;
    const now = performance.now();
    if (now >= denial.until || denial.policy !== policy) {
      this.#denials.delete(id);
      return undefined;
    }
    if (cost < denial.cost) return undefined;
    const drained = Math.floor(now - denial.seenAt);
    const used = policy.limits.map(({ r }, i) => Math.max(0, (denial.used[i] as number) - drained * r));
    return { allowed: false, used: used.length === 1 ? (used[0] as number) : used, source: "deny-cache" };
  }

  /** Notes the answer to a call that was sent at `sentAt`: what was admitted is in use by now, so an older denial tells too little. */
  note(policy: Policy, id: string, cost: number, allowed: boolean, used: readonly number[], sentAt: number): void {
    if (allowed) {
      this.#denials.delete(id);
      return;
    }
    const wait = Math.max(...policy.limits.map((limit, i) => retryMs(limit, used[i] as number, cost)));
    const until = sentAt + Math.min(longestMs, wait);
    if (this.#denials.size >= most) this.#forgetOldest();
    this.#denials.set(id, { policy, cost, until, seenAt: performance.now(), used });
  }

  forget(id: string): void {
    this.#denials.delete(id);
  }

  #forgetOldest(): void {
    for (const id of this.#denials.keys()) {
      this.#denials.delete(id);
      return;
    }
  }
}

function retryMs({ p, r, full, burst }: Limit, used: number, cost: number): number {
  return cost > burst ? longestMs : Math.ceil((used + cost * p - full) / r);
}
