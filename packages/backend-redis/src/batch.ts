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

/** What sends entries to Redis, and gives the reply to each call in their order. */
export interface Sender {
  /** Whether all keys may go into one script; otherwise each call goes out by itself. */
  readonly together: boolean;
  one(key: string, args: readonly string[]): Promise<number | null>;
  /** Two numbers for each key: the units in use, or the code of a fault, and how many of its calls were admitted. */
  many(keys: readonly string[], args: readonly string[]): Promise<readonly number[]>;
  /** The error that a fault of one key is; none where another script has to read it. */
  faultOf(code: number): Error | undefined;
}

/** Keys of one script at the most: more would keep other clients of Redis waiting. */
const mostKeys = 64;

/**
 * Sends calls that come in one turn of the event loop as one script.
 *
 * With nothing under way a call goes out at once, so that it never waits for company. Otherwise calls gather until the turn ends
 * (`setImmediate`). Equal calls of one key that follow each other become one entry with a count: the first so many win. Only neighbours
 * merge, for otherwise a greater cost between them would wait for ever.
 */
export class Batch {
  readonly #sender: Sender;
  #entries: Entry[] = [];
  /** The last entry of each key in this turn. */
  #last = new Map<string, Entry>();
  #underWay = 0;

  constructor(sender: Sender) {
    this.#sender = sender;
  }

  /** The units in use after the call if it was admitted, -1 less the units in use if it was refused; null: ask the script for several limits. */
  take(key: string, units: number, first: readonly string[]): Promise<number | null> {
    if (!this.#sender.together || (this.#underWay === 0 && this.#entries.length === 0))
      return this.#track(this.#sender.one(key, [units.toFixed(), ...first]));
    return new Promise((resolve, reject) => {
      if (this.#entries.length === 0) setImmediate(() => this.#flush());
      const last = this.#last.get(key);
      if (last !== undefined && units > 0 && last.units === units && last.first === first) last.calls.push({ resolve, reject });
      else this.#add({ key, units, first, calls: [{ resolve, reject }] });
    });
  }

  #add(entry: Entry): void {
    this.#entries.push(entry);
    this.#last.set(entry.key, entry);
  }

  #flush(): void {
    const entries = this.#entries;
    this.#entries = [];
    this.#last = new Map();
    for (let from = 0; from < entries.length; from += mostKeys) void this.#send(entries.slice(from, from + mostKeys));
  }

  async #send(entries: readonly Entry[]): Promise<void> {
    const keys = entries.map(({ key }) => key);
    const args = entries.flatMap(({ units, first, calls }) => [units.toFixed(), ...first, String(calls.length)]);
    try {
      const replies = await this.#track(this.#sender.many(keys, args));
      for (const [i, entry] of entries.entries()) this.#settle(entry, replies[2 * i] as number, replies[2 * i + 1] as number);
    } catch (error) {
      for (const { calls } of entries) for (const { reject } of calls) reject(error);
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

  /** The first `admitted` calls of an entry won, each when that much less was in use; `used` is the state after all of them. */
  #settle({ calls, units }: Entry, used: number, admitted: number): void {
    const isFault = used < 0;
    const error = isFault ? this.#sender.faultOf(used) : undefined;
    for (const [i, { resolve, reject }] of calls.entries())
      if (error !== undefined) reject(error);
      else if (isFault) resolve(null);
      else resolve(i < admitted ? used - (admitted - 1 - i) * units : -1 - used);
  }
}
