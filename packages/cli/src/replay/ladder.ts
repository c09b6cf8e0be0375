import { type Duration, definePolicy, type Policy } from "@ratelimit/core";
import type { Entry } from "../logs/entry.ts";
import { LogBuckets } from "./buckets.ts";
import { ClientTable } from "./client-table.ts";
import { CountColumn } from "./columns.ts";
import { LogClock } from "./log-clock.ts";

/** The rates to try: round numbers that people configure, each at most twice the one before. */
export const rates: readonly number[] = [
  1,
  2,
  3,
  5,
  7,
  ...[10, 100, 1000].flatMap((ten) => [1, 1.5, 2, 3, 5, 7].map((n) => n * ten)),
  10_000,
];

/** A rate that was tried, and what it refused. */
export interface Rung {
  readonly rate: number;
  readonly refused: number;
  /** How many clients were refused at least once. */
  readonly refusedClients: number;
}

/** Replays requests against every rate of the ladder, each with a burst of its rate. */
export class Ladder {
  readonly #policies: readonly Policy[];
  readonly #clock = new LogClock();
  readonly #clients = new ClientTable();
  /**
   * How many of the rates, from the lowest, have refused each client. One number is enough: until its first refusal, a bucket with a
   * higher rate has held at least as many tokens as one with a lower rate, so a client that it refuses was refused by all lower rates.
   */
  readonly #climbed = new CountColumn();
  readonly #refused: number[] = rates.map(() => 0);
  #buckets: LogBuckets | undefined;
  #requests = 0;

  constructor(period: Duration) {
    this.#policies = rates.map((rate) => definePolicy({ rate, period }));
  }

  get requests(): number {
    return this.#requests;
  }

  get clients(): number {
    return this.#clients.size;
  }

  get clock(): LogClock {
    return this.#clock;
  }

  get rungs(): Rung[] {
    const clients = rates.map(() => 0);
    for (let client = 0; client < this.clients; client++)
      for (let rung = 0; rung < this.#climbed.get(client); rung++) clients[rung] = (clients[rung] as number) + 1;
    return rates.map((rate, i) => ({ rate, refused: this.#refused[i] as number, refusedClients: clients[i] as number }));
  }

  add({ time, key }: Entry): void {
    const now = this.#clock.moveTo(time);
    this.#requests++;
    this.#buckets ??= new LogBuckets(this.#policies, now);
    this.#buckets.moveTo(now);
    const client = this.#clients.numberOf(key);
    for (let rung = 0; rung < rates.length; rung++)
      if (!this.#buckets.admits(rung, key)) {
        this.#refused[rung] = (this.#refused[rung] as number) + 1;
        if (rung >= this.#climbed.get(client)) this.#climbed.set(client, rung + 1);
      }
    this.#buckets.sweep();
  }

  close(): void {
    this.#buckets?.close();
  }
}

/** The lowest rate that refuses at most `percent` % of the clients; `undefined` if even the highest refuses more. */
export function lowestRung(rungs: readonly Rung[], clients: number, percent: number): Rung | undefined {
  return rungs.find(({ refusedClients }) => refusedClients * 100 <= percent * clients);
}
