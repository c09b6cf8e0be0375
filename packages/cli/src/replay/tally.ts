import { CountColumn } from "./columns.ts";

/** A client that was refused. Times are Unix times in ms. */
export interface RefusedClient {
  readonly key: string;
  readonly requests: number;
  readonly refused: number;
  readonly first: number;
  readonly last: number;
}

/** How many refused clients have a name at most, and how many keep it when there are too many. */
const [mostNames, keptNames] = [50_000, 10_000];

/** The refusals of one policy. */
export class Tally {
  /** Refusals of each client, by its number. */
  readonly #refusals = new CountColumn();
  /** Unix time in seconds of the first one. */
  readonly #firsts = new CountColumn();
  /** The keys of the clients that were refused most, and when they last were. */
  readonly #names = new Map<number, { readonly key: string; last: number }>();
  readonly #clientsOfMinute = new Set<number>();
  #refused = 0;
  #clients = 0;

  get refused(): number {
    return this.#refused;
  }

  /** How many clients were refused at least once. */
  get refusedClients(): number {
    return this.#clients;
  }

  /** How many clients were refused since the minute began. */
  get clientsOfMinute(): number {
    return this.#clientsOfMinute.size;
  }

  beginMinute(): void {
    this.#clientsOfMinute.clear();
  }

  add(client: number, key: string, ms: number): void {
    this.#refused++;
    this.#clientsOfMinute.add(client);
    if (this.#refusals.increment(client) === 1) {
      this.#clients++;
      this.#firsts.set(client, Math.floor(ms / 1000));
    }
    const name = this.#names.get(client);
    if (name === undefined) this.#name(client, key, ms);
    else name.last = ms;
  }

  /** The clients that were refused most, of which there are `count`; at most 10,000. */
  top(count: number, requestsOf: (client: number) => number): RefusedClient[] {
    return this.#ranked()
      .slice(0, count)
      .map((client) => {
        const { key, last } = this.#names.get(client) as { key: string; last: number };
        return { key, requests: requestsOf(client), refused: this.#refusals.get(client), first: this.#firsts.get(client) * 1000, last };
      });
  }

  /**
   * Keeps the key of a client. If there are too many, drops those that were refused least. That loses none of the top: a client that
   * catches up is refused again, and gets its name back then.
   */
  #name(client: number, key: string, ms: number): void {
    this.#names.set(client, { key: ownCopy(key), last: ms });
    if (this.#names.size <= mostNames) return;
    for (const dropped of this.#ranked().slice(keptNames)) this.#names.delete(dropped);
  }

  #ranked(): number[] {
    return [...this.#names.keys()].sort((a, b) => this.#refusals.get(b) - this.#refusals.get(a) || a - b);
  }
}

/** Copies a key, because V8 makes it a slice that keeps the whole chunk of the log in memory. */
function ownCopy(key: string): string {
  return Buffer.from(key, "utf16le").toString("utf16le");
}
