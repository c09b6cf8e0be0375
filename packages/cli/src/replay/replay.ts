import type { Policy } from "@ratelimit/core";
import type { Entry } from "../logs/entry.ts";
import { LogBuckets } from "./buckets.ts";
import { ClientTable } from "./client-table.ts";
import { CountColumn } from "./columns.ts";
import { LogClock } from "./log-clock.ts";
import { Minutes, minuteMs } from "./minutes.ts";
import { type RefusedClient, Tally } from "./tally.ts";

/** The minute with the most refusals. */
export interface WorstMinute {
  /** Unix time in ms. */
  readonly start: number;
  readonly requests: number;
  readonly refused: number;
  /** How many clients were refused in it. */
  readonly clients: number;
}

/** Replays requests against policies, each of which decides on its own. */
export class Replay {
  readonly clock = new LogClock();
  readonly minutes: Minutes;
  readonly #policies: readonly Policy[];
  readonly #clients = new ClientTable();
  /** Requests of each client, by its number. */
  readonly #requestsOf = new CountColumn();
  readonly #tallies: readonly Tally[];
  readonly #worst: ({ readonly index: number; readonly refused: number; readonly clients: number } | undefined)[];
  #buckets: LogBuckets | undefined;
  #requests = 0;
  #first = 0;
  #last = 0;

  constructor(policies: readonly Policy[]) {
    this.#policies = policies;
    this.#tallies = policies.map(() => new Tally());
    this.#worst = policies.map(() => undefined);
    this.minutes = new Minutes(policies.length);
  }

  get requests(): number {
    return this.#requests;
  }

  get clients(): number {
    return this.#clients.size;
  }

  /** The times of the first and the last request, as Unix time in ms; `undefined` if there was none. */
  get span(): { readonly first: number; readonly last: number } | undefined {
    return this.#requests === 0 ? undefined : { first: this.#first, last: this.#last };
  }

  get evictions(): number {
    return this.#buckets?.evictions ?? 0;
  }

  /** What a policy refused so far. */
  outcome(policy: number): { readonly refused: number; readonly refusedClients: number; readonly worstMinute: WorstMinute | undefined } {
    const { refused, refusedClients } = this.#tallyOf(policy);
    return { refused, refusedClients, worstMinute: this.#worstMinute(policy) };
  }

  /** The clients that a policy refused most. */
  top(policy: number, count: number): RefusedClient[] {
    return this.#tallyOf(policy).top(count, (client) => this.#requestsOf.get(client));
  }

  add({ time, key }: Entry): void {
    const now = this.clock.moveTo(time);
    if (this.#requests++ === 0) this.#first = now;
    this.#last = now;
    this.#buckets ??= new LogBuckets(this.#policies, now);
    this.#buckets.moveTo(now);
    if (this.minutes.add(now)) for (const tally of this.#tallies) tally.beginMinute();
    const client = this.#clients.numberOf(key);
    this.#requestsOf.increment(client);
    for (let policy = 0; policy < this.#policies.length; policy++)
      if (!this.#buckets.admits(policy, key)) this.#refuse(policy, client, key, now);
    this.#buckets.sweep();
  }

  close(): void {
    this.#buckets?.close();
  }

  #refuse(policy: number, client: number, key: string, now: number): void {
    const tally = this.#tallyOf(policy);
    tally.add(client, key, now);
    this.minutes.addRefused(policy);
    const index = this.minutes.last;
    const refused = this.minutes.refused[policy]?.[index] as number;
    if (refused > (this.#worst[policy]?.refused ?? 0)) this.#worst[policy] = { index, refused, clients: tally.clientsOfMinute };
  }

  /** Counts the requests of the minute only now, because some came after its last refusal. */
  #worstMinute(policy: number): WorstMinute | undefined {
    const worst = this.#worst[policy];
    if (worst === undefined) return undefined;
    const { index, refused, clients } = worst;
    const { starts, requests } = this.minutes;
    return { start: (starts[index] as number) * minuteMs, requests: requests[index] as number, refused, clients };
  }

  #tallyOf(policy: number): Tally {
    return this.#tallies[policy] as Tally;
  }
}
