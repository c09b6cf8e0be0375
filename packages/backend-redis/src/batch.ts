import { setImmediate } from "node:timers";
import type { KeyScope } from "@ratelimit/core/backend";
import type { PolicyArgs } from "./policy-args.ts";

/** The numbers by which the script knows each operation. For a take it gets the number of takes instead. */
export const operations = { charge: -1, block: -2, reset: -3, lease: -4 } as const;
export type Operation = "take" | keyof typeof operations;

/** One call on one bucket. */
export interface Call {
  readonly scope: KeyScope;
  readonly key: string;
  /** The bucket's key in Redis. */
  readonly id: string;
  readonly operation: Operation;
  /** Tokens, or the milliseconds of a block. */
  readonly amount: number;
  /** What the script gets in place of the amount for a lease. */
  readonly terms?: string | undefined;
  readonly policyArgs: PolicyArgs;
}

/** What the script replied to a call. */
export interface Reply {
  /**
   * For a take, how many of the equal calls took their tokens. For a charge, how many whole tokens the debt had room for. For a lease, how
   * many tokens were granted.
   */
  readonly count: number;
  /** Milliseconds that the key stays blocked. */
  readonly blockedMs: number;
  /** Units in use of each distinct limit after all the equal calls. For a lease, the generation comes first, and the units held last. */
  readonly used: readonly number[];
}

/** One entry of a script: a single call, or several equal takes from one bucket that were made one right after another. */
export interface Entry {
  readonly call: Call;
  readonly times: number;
}

/** Sends entries to Redis. */
export interface Sender {
  /** Returns the group of a call. The entries of one group can share a script, or at least a write. */
  groupOf(call: Call): unknown;
  one(call: Call): Promise<Reply>;
  /** Returns the reply, or the error of that key alone, for each entry in order. */
  many(entries: readonly Entry[]): Promise<readonly (Reply | Error)[]>;
}

/** Settles a call that waits for its reply. */
interface Waiting {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: unknown) => void;
}

interface OpenEntry extends Entry {
  readonly calls: Waiting[];
  readonly times: number;
}

/**
 * The most entries in one script. A larger batch is sent as several scripts without waiting between them: Redis runs the next one while
 * this process reads the last replies, and serves other clients in between. docs/decisions/small-batches.md has the figures.
 */
const maxEntries = 16;

/**
 * Sends the calls made in one turn of the event loop together, in the order they were made.
 *
 * A call that is made while nothing is in flight is sent at once. Otherwise calls gather until the turn ends (`setImmediate`).
 * Only adjacent calls on a bucket are merged: merging across a larger take could starve it forever.
 */
export class Batch {
  readonly #sender: Sender;
  #groups = new Map<unknown, OpenEntry[]>();
  /** The last entry of each bucket in this turn, and the group that it is in. */
  #lastOf = new Map<string, { readonly entry: OpenEntry; readonly group: unknown }>();
  #inFlight = 0;
  readonly #landed = (): void => {
    this.#inFlight--;
  };

  constructor(sender: Sender) {
    this.#sender = sender;
  }

  send(call: Call): Promise<Reply> {
    if (this.#inFlight === 0 && this.#groups.size === 0) return this.#track(this.#sender.one(call));
    return new Promise((resolve, reject) => {
      if (this.#groups.size === 0) setImmediate(() => this.#flush());
      const last = this.#lastOf.get(call.id);
      if (last !== undefined && canMerge(last.entry.call, call)) last.entry.calls.push({ resolve, reject });
      else this.#add(new GatheredEntry(call, [{ resolve, reject }]), last?.group);
    });
  }

  #add(entry: OpenEntry, groupBefore: unknown): void {
    const group = this.#sender.groupOf(entry.call);
    // Groups are sent one after another, so a bucket in two of them (after a policy change) would lose the order of its calls.
    if (groupBefore !== undefined && groupBefore !== group) this.#flush();
    const entries = this.#groups.get(group);
    if (entries === undefined) this.#groups.set(group, [entry]);
    else entries.push(entry);
    this.#lastOf.set(entry.call.id, { entry, group });
  }

  #flush(): void {
    const groups = this.#groups;
    this.#groups = new Map();
    this.#lastOf = new Map();
    for (const entries of groups.values())
      for (let from = 0; from < entries.length; from += maxEntries) void this.#sendAll(entries.slice(from, from + maxEntries));
  }

  async #sendAll(entries: readonly OpenEntry[]): Promise<void> {
    try {
      const replies = await this.#track(this.#sender.many(entries));
      for (const [i, entry] of entries.entries()) settle(entry, replies[i] as Reply | Error);
    } catch (error) {
      for (const { calls } of entries) for (const { reject } of calls) reject(error);
    }
  }

  #track<T>(sending: Promise<T>): Promise<T> {
    this.#inFlight++;
    sending.then(this.#landed, this.#landed);
    return sending;
  }
}

class GatheredEntry implements OpenEntry {
  readonly call: Call;
  readonly calls: Waiting[];

  constructor(call: Call, calls: Waiting[]) {
    this.call = call;
    this.calls = calls;
  }

  get times(): number {
    return this.calls.length;
  }
}

function canMerge(a: Call, b: Call): boolean {
  return a.operation === "take" && b.operation === "take" && a.amount === b.amount && a.policyArgs === b.policyArgs;
}

/** Settles the calls of an entry. The first `count` takes were admitted, each when the later ones had not yet used their units. */
function settle({ call, calls }: OpenEntry, reply: Reply | Error): void {
  if (reply instanceof Error) for (const { reject } of calls) reject(reply);
  else if (calls.length === 1) calls[0]?.resolve(reply);
  else
    for (const [i, { resolve }] of calls.entries()) {
      const later = reply.count - 1 - i;
      const used = later > 0 ? reply.used.map((units, n) => units - later * unitsOf(call, n)) : reply.used;
      // A block refuses every call except a peek, so the calls that took tokens saw no block.
      const blockedMs = later >= 0 && call.amount > 0 ? 0 : reply.blockedMs;
      resolve({ count: later >= 0 ? 1 : 0, blockedMs, used });
    }
}

function unitsOf({ amount, policyArgs }: Call, n: number): number {
  return amount * (policyArgs.limits[n]?.unitsPerToken ?? 0);
}
