import { setTimeout as sleep } from "node:timers/promises";
import type { RedisBackend } from "@ratelimit/backend-redis";
import type { Recorded } from "@ratelimit/conformance";
import { type OutageEvent, RateLimiter } from "@ratelimit/core";
import type { DecisionSource } from "@ratelimit/core/backend";

/** One decision, as its caller saw it. Times are ms since 1970, by the one clock of the machine. */
export interface Decision extends Recorded {
  readonly limiter: "wide" | "tight";
  /** The longest that it may have taken: the timeout and 50 ms, and what this process itself was late, by a timer and by the next one. */
  readonly within: number;
  readonly source: DecisionSource | undefined;
  readonly error?: unknown;
}

export const clock = (): number => performance.timeOrigin + performance.now();

/** A limit that a load never reaches, and shows by whom it is decided; and one that it exceeds all the time. */
const wide = { rate: 1_000_000, period: 1, burst: 1_000_000 } as const;
export const tight: { readonly rate: number; readonly period: 1; readonly burst: number } = { rate: 20, period: 1, burst: 10 };

interface LoadOptions {
  readonly everyMs?: number | undefined;
  readonly timeoutMs?: number | undefined;
  readonly keys?: readonly string[] | undefined;
  readonly name?: string | undefined;
  /** In place of the usual tight limit. */
  readonly limit?: typeof tight | undefined;
}

/** Calls at a steady pace, whether or not the ones before were answered, on several keys of a wide and one of a tight limit. */
export class Load {
  readonly decisions: Decision[] = [];
  readonly #limiters: Readonly<Record<Decision["limiter"], RateLimiter>>;
  readonly #timeoutMs: number;
  readonly #keys: readonly string[];
  readonly #timer: NodeJS.Timeout;
  readonly #pending = new Set<Promise<void>>();
  #calls = 0;
  /** How late each tick came, in ms: the machine's own part in whatever is slow. */
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

  /** Resolves when the last call is decided. */
  async stop(): Promise<readonly Decision[]> {
    clearInterval(this.#timer);
    await Promise.all(this.#pending);
    return this.decisions;
  }

  /** How late the latest tick was since then; the one that is late now comes as soon as it can. */
  async #latenessSince(from: number): Promise<number> {
    await sleep(30);
    return Math.max(0, ...this.lateness.slice(this.#tickedAt.findIndex((at) => at >= from)));
  }

  /** A timer beside each call, of the same length and as patient, tells how late this process itself was. */
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

/** Events, and when they came. */
export class Events {
  readonly all: (OutageEvent & { readonly at: number })[] = [];
  readonly listener = (event: OutageEvent): void => void this.all.push({ ...event, at: clock() });

  get recovered(): number {
    return this.all.filter(({ recovered }) => recovered).length;
  }

  /** Why it failed, told so far. */
  get reasons(): string {
    return this.all.map(({ reason }) => reason ?? "").join("\n");
  }
}
