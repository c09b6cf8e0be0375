import { setTimeout as sleep } from "node:timers/promises";
import type { RedisBackend } from "@ratelimit/backend-redis";
import type { Recorded } from "@ratelimit/conformance";
import { type OutageEvent, RateLimiter } from "@ratelimit/core";
import type { DecisionSource } from "@ratelimit/core/backend";
import { clock } from "./clock.ts";

/** One decision as its caller saw it. Times are ms since 1970, on the clock that all processes of the machine share. */
export interface Decision extends Recorded {
  readonly limiter: "wide" | "tight";
  /** How many ms it may have taken: the timeout, 50 ms, and twice the lateness of this process itself, for two timers in a row. */
  readonly within: number;
  readonly source: DecisionSource | undefined;
  readonly error?: unknown;
}

/** A limit that a load never reaches, which shows what decides the calls. `tight` is one that a load always exceeds. */
const wide = { rate: 1_000_000, period: 1, burst: 1_000_000 } as const;
export const tight: { readonly rate: number; readonly period: 1; readonly burst: number } = { rate: 20, period: 1, burst: 10 };

interface LoadOptions {
  readonly everyMs?: number | undefined;
  readonly timeoutMs?: number | undefined;
  readonly keys?: readonly string[] | undefined;
  readonly name?: string | undefined;
  /** Replaces the usual tight limit. */
  readonly limit?: typeof tight | undefined;
}

/** Makes calls at a steady pace without waiting for answers, on several keys of a wide limit and one key of a tight limit. */
export class Load {
  readonly decisions: Decision[] = [];
  readonly #limiters: Readonly<Record<Decision["limiter"], RateLimiter>>;
  readonly #timeoutMs: number;
  readonly #keys: readonly string[];
  readonly #timer: NodeJS.Timeout;
  readonly #pending = new Set<Promise<void>>();
  #calls = 0;
  /** How many ms late each tick was, which is the delay that the machine itself causes. */
  readonly lateness: number[] = [];
  readonly #tickedAt: number[] = [];

  constructor(
    backend: RedisBackend,
    { everyMs = 10, timeoutMs = 100, keys = ["a", "b", "c"], name = "load", limit = tight }: LoadOptions = {},
  ) {
    this.#limiters = {
      wide: new RateLimiter({ ...wide, name: `${name}-wide`, backend }),
      tight: new RateLimiter({ ...limit, name: `${name}-tight`, backend }),
    };
    this.#timeoutMs = timeoutMs;
    this.#keys = keys;
    let due = performance.now() + everyMs;
    this.#timer = setInterval(() => {
      this.lateness.push(Math.max(0, performance.now() - due));
      this.#tickedAt.push(clock());
      due = performance.now() + everyMs;
      this.ask("wide", this.#keys[this.#calls++ % this.#keys.length] as string);
      this.ask("tight", "key");
    }, everyMs);
  }

  /** Makes one call. */
  ask(limiter: Decision["limiter"], key: string): void {
    const pending = this.#ask(limiter, key).finally(() => this.#pending.delete(pending));
    this.#pending.add(pending);
  }

  /** Stops, and resolves when the last call is decided. */
  async stop(): Promise<readonly Decision[]> {
    clearInterval(this.#timer);
    await Promise.all(this.#pending);
    return this.decisions;
  }

  /** Returns by how many ms the latest tick since `from` was late. Waits for a tick that is late now. */
  async #latenessSince(from: number): Promise<number> {
    await sleep(30);
    return Math.max(0, ...this.lateness.slice(this.#tickedAt.findIndex((at) => at >= from)));
  }

  /** Makes one call, next to a timer of the same length that shows how late this process itself is. */
  async #ask(limiter: Decision["limiter"], key: string): Promise<void> {
    const from = clock();
    const witness = new Promise<number>((resolve) => {
      const noticed = (): void => resolve(clock() - from);
      setTimeout(() => setImmediate(() => setImmediate(noticed)), this.#timeoutMs);
    });
    const decided = await this.#limiters[limiter].check(key).then(
      ({ allowed, source }) => ({ outcome: allowed ? "admitted" : "refused", source }) as const,
      (error: unknown) => ({ outcome: "info", source: undefined, error }) as const,
    );
    const to = clock();
    const late = to - from < this.#timeoutMs ? 0 : Math.max((await witness) - this.#timeoutMs, await this.#latenessSince(from));
    const within = this.#timeoutMs + 50 + 2 * late;
    this.decisions.push({ limiter, key, from, to, within, cost: 1, ...decided });
  }
}

/** Records events and when they came. */
export class Events {
  readonly all: (OutageEvent & { readonly at: number })[] = [];
  readonly listener = (event: OutageEvent): void => void this.all.push({ ...event, at: clock() });

  get recovered(): number {
    return this.all.filter(({ recovered }) => recovered).length;
  }

  /** The reasons of all failures so far. */
  get reasons(): string {
    return this.all.map(({ reason }) => reason ?? "").join("\n");
  }
}
