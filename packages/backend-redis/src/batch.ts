/** A call that waits to be sent with others. */
interface Waiting {
  readonly resolve: (reply: number | null) => void;
  readonly reject: (error: unknown) => void;
}

/** Equal calls of one key, next to each other in the order in which they came: they are one entry of a script. */
interface Entry {
  readonly key: string;
  readonly units: number;
  readonly first: readonly string[];
  readonly calls: Waiting[];
}

/** What an entry came to: the units in use, or the code of a fault, and how many of its calls were admitted. */
export type Outcome = readonly [used: number, admitted: number];

/** What sends entries to Redis. */
export interface Sender {
  /** Which server keeps a key. */
  serverOf(key: string): string;
  one(key: string, args: readonly string[]): Promise<number | null>;
  /** Entries of one server, each with its units, full, r and count: an outcome of each, or the error of that one. */
  many(entries: readonly { readonly key: string; readonly args: readonly string[] }[]): Promise<readonly PromiseSettledResult<Outcome>[]>;
  /** The error that a fault of one key is; none where another script has to read it. */
  faultOf(code: number): Error | undefined;
}

/** Entries that are sent together at the most: more would keep other clients of Redis waiting. */
const mostEntries = 64;

/**
 * Sends calls that come in one turn of the event loop together, to each server its own.
 *
 * With nothing under way a call goes out at once, so that it never waits for company. Otherwise calls gather until the turn ends
 * (`setImmediate`). Equal calls of one key that follow each other become one entry with a count: the first so many win. Only neighbours
 * merge, for otherwise a greater cost between them would wait for ever.
 */
export class Batch {
  readonly #sender: Sender;
  /** The entries of this turn, by server. */
  #entries = new Map<string, Entry[]>();
  /** The last entry of each key in this turn. */
  #last = new Map<string, Entry>();
  #underWay = 0;

  constructor(sender: Sender) {
    this.#sender = sender;
  }

  /** The units in use after the call if it was admitted, -1 less the units in use if it was refused; null: ask the script for several limits. */
  take(key: string, units: number, first: readonly string[]): Promise<number | null> {
    if (this.#underWay === 0 && this.#entries.size === 0) return this.#track(this.#sender.one(key, [units.toFixed(), ...first]));
    return new Promise((resolve, reject) => {
      if (this.#entries.size === 0) setImmediate(() => this.#flush());
      const last = this.#last.get(key);
      if (last !== undefined && units > 0 && last.units === units && last.first === first) last.calls.push({ resolve, reject });
      else this.#add({ key, units, first, calls: [{ resolve, reject }] });
    });
  }

  #add(entry: Entry): void {
    const server = this.#sender.serverOf(entry.key);
    const entries = this.#entries.get(server) ?? [];
    this.#entries.set(server, entries);
    entries.push(entry);
    this.#last.set(entry.key, entry);
  }

  #flush(): void {
    const byServer = this.#entries;
    this.#entries = new Map();
    this.#last = new Map();
    for (const entries of byServer.values())
      for (let from = 0; from < entries.length; from += mostEntries) void this.#send(entries.slice(from, from + mostEntries));
  }

  async #send(entries: readonly Entry[]): Promise<void> {
    try {
      const told = entries.map(({ key, units, first, calls }) => ({ key, args: [units.toFixed(), ...first, String(calls.length)] }));
      const outcomes = await this.#track(this.#sender.many(told));
      for (const [i, entry] of entries.entries()) this.#settle(entry, outcomes[i] as PromiseSettledResult<Outcome>);
    } catch (error) {
      for (const entry of entries) this.#settle(entry, { status: "rejected", reason: error });
    }
  }

  #track<T>(sending: Promise<T>): Promise<T> {
    this.#underWay++;
    const end = (): void => {
      this.#underWay--;
    };
    sending.then(end, end);
    return sending;
  }

  #settle(entry: Entry, outcome: PromiseSettledResult<Outcome>): void {
    if (outcome.status === "rejected") for (const { reject } of entry.calls) reject(outcome.reason);
    else if (outcome.value[0] < 0) this.#fault(entry, outcome.value[0]);
    else share(entry, outcome.value);
  }

  #fault({ calls }: Entry, code: number): void {
    const error = this.#sender.faultOf(code);
    for (const { resolve, reject } of calls)
      if (error === undefined) resolve(null);
      else reject(error);
  }
}

/** The first `admitted` calls of an entry won, each when that much less was in use; `used` is the state after all of them. */
function share({ calls, units }: Entry, [used, admitted]: Outcome): void {
  for (const [i, { resolve }] of calls.entries()) resolve(i < admitted ? used - (admitted - 1 - i) * units : -1 - used);
}
