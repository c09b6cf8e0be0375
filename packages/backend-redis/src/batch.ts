import { setImmediate } from "node:timers";
import type { Scope, Take } from "@ratelimit/core";
import type { Written } from "./written.ts";

/** A call that waits to be sent with others. */
interface Waiting {
  readonly resolve: (take: Take | Promise<Take>) => void;
  readonly reject: (error: unknown) => void;
}

/** One call: what is taken from which bucket. */
export interface Taking {
  readonly scope: Scope;
  readonly key: string;
  /** Where the bucket is kept. */
  readonly id: string;
  readonly cost: number;
  readonly written: Written;
}

/** Units of the only limit; of a cost above the burst only that it is, for all its units could not be counted exactly. */
export function unitsOf({ scope, cost }: Taking): number {
  const { burst, p } = scope.policy.limits[0];
  return Math.min(cost, burst + 1) * p;
}

/** Equal calls of one key, next to each other in the order in which they came: they are one entry of a script. */
export interface Entry {
  readonly taking: Taking;
  readonly calls: readonly Waiting[];
}

/** What an entry came to: the units in use after it and how many of its calls were admitted, its error, or that the script for several limits can read it. */
export type Outcome = readonly [used: number, admitted: number] | Error | "several";

/** What sends entries to Redis. */
export interface Sender {
  /** Calls of one group can go together. */
  groupOf(taking: Taking): unknown;
  /** By the script for several limits, where one is asked for. */
  several(taking: Taking): Promise<Take>;
  one(taking: Taking): Promise<Take>;
  /** Entries of one group: what each came to. */
  many(entries: readonly Entry[]): Promise<readonly Outcome[]>;
}

/**
 * Entries of a script at the most. A turn of more is several scripts, all sent at once: Redis works on the next while this process reads
 * the answers of the last, and other clients of Redis get in between. docs/decisions has the figures.
 */
const mostEntries = 16;

/**
 * Sends calls of policies of one limit that come in one turn of the event loop together, each group by itself.
 *
 * With nothing under way a call goes out at once, so that it never waits for company. Otherwise calls gather until the turn ends
 * (`setImmediate`). Equal calls of one key that follow each other become one entry with a count: the first so many win. Only neighbours
 * merge, for otherwise a greater cost between them would wait for ever.
 */
export class Batch {
  readonly #sender: Sender;
  /** The entries of this turn, by group. */
  #entries = new Map<unknown, Entry[]>();
  /** The last entry of each bucket in this turn. */
  #last = new Map<string, OpenEntry>();
  #underWay = 0;
  readonly #end = (): void => {
    this.#underWay--;
  };

  constructor(sender: Sender) {
    this.#sender = sender;
  }

  take(taking: Taking): Promise<Take> {
    if (this.#underWay === 0 && this.#entries.size === 0) return this.#track(this.#sender.one(taking));
    return new Promise((resolve, reject) => {
      if (this.#entries.size === 0) setImmediate(() => this.#flush());
      const last = this.#last.get(taking.id);
      if (last !== undefined && areEqual(last.taking, taking)) last.calls.push({ resolve, reject });
      else this.#add({ taking, calls: [{ resolve, reject }] });
    });
  }

  #add(entry: OpenEntry): void {
    const group = this.#sender.groupOf(entry.taking);
    const entries = this.#entries.get(group);
    if (entries === undefined) this.#entries.set(group, [entry]);
    else entries.push(entry);
    this.#last.set(entry.taking.id, entry);
  }

  #flush(): void {
    const byGroup = this.#entries;
    this.#entries = new Map();
    this.#last = new Map();
    for (const entries of byGroup.values())
      for (let from = 0; from < entries.length; from += mostEntries) void this.#send(entries.slice(from, from + mostEntries));
  }

  async #send(entries: readonly Entry[]): Promise<void> {
    try {
      const outcomes = await this.#track(this.#sender.many(entries));
      for (const [i, entry] of entries.entries()) this.#settle(entry, outcomes[i] as Outcome);
    } catch (error) {
      for (const { calls } of entries) for (const { reject } of calls) reject(error);
    }
  }

  #track<T>(sending: Promise<T>): Promise<T> {
    this.#underWay++;
    sending.then(this.#end, this.#end);
    return sending;
  }

  #settle(entry: Entry, outcome: Outcome): void {
    if (outcome === "several") for (const { resolve } of entry.calls) resolve(this.#sender.several(entry.taking));
    else if (outcome instanceof Error) for (const { reject } of entry.calls) reject(outcome);
    else share(entry, outcome);
  }
}

/** An entry that takes more calls. */
interface OpenEntry extends Entry {
  readonly calls: Waiting[];
}

/** Whether one count tells both. */
function areEqual(a: Taking, b: Taking): boolean {
  return a.cost === b.cost && a.written === b.written;
}

/** The first `admitted` calls of an entry won, each when that much less was in use; `used` is the state after all of them. */
function share({ calls, taking }: Entry, [used, admitted]: Exclude<Outcome, Error | string>): void {
  const units = unitsOf(taking);
  for (const [i, { resolve }] of calls.entries()) {
    const allowed = i < admitted;
    resolve({ allowed, used: allowed ? used - (admitted - 1 - i) * units : used });
  }
}
