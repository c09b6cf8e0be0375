import { setTimeout as sleep } from "node:timers/promises";
import { RedisBackend, type RedisBackendOptions } from "@ratelimit/backend-redis";
import { type Allowance, type Bound, worstWindow } from "@ratelimit/conformance";
import { RateLimiter } from "@ratelimit/core";
import type { DecisionSource } from "@ratelimit/core/backend";
import { clock, type Decision, Events, Load, tight } from "./load.ts";

/** What is done to Redis, and what has to come of it. */
export interface Fault {
  readonly backend: RedisBackendOptions;
  /** Breaks something; and repairs it. */
  readonly hurt: () => unknown;
  readonly heal: () => unknown;
  /** How long it lasts, in ms. */
  readonly forMs: number;
  /** Who decides meanwhile, once the process has noticed; nothing where both may. */
  readonly meanwhile?: DecisionSource;
  /** How soon Redis decides again, in ms after it can; 1 s. */
  readonly backMs?: number;
  /** Bursts of a key that may be admitted on top; 1, for Redis' bucket filled while a local one was used. */
  readonly bursts?: number;
  /** Outages that are reported, and reported as over; 1. Those that are "passing" are any number, and no call is kept from Redis. */
  readonly outages?: number | "passing";
  /** Whether Redis is there in the beginning; true. */
  readonly isThere?: boolean;
  readonly timeoutMs?: number;
  readonly keys?: readonly string[];
}

/** What was seen. */
export interface Seen {
  readonly decisions: readonly Decision[];
  readonly events: Events;
  readonly hurtAt: number;
  readonly healedAt: number;
  /** From when it was healed until the last local decision. */
  readonly backAfterMs: number;
  /** What was promised and not kept. */
  readonly problems: readonly string[];
}

/** The time after which a process must have noticed: five failures and half a second, and one more deadline. */
const noticedMs = 900;

/** Puts a load on a backend, hurts and heals what is behind it, and holds what is seen against the promises. */
export async function suffer(name: string, fault: Fault): Promise<Seen> {
  const { backMs = 1000, bursts = 1, outages = 1, isThere = true } = fault;
  const events = new Events();
  const backend = new RedisBackend({ denyCache: false, onOutage: events.listener, ...fault.backend });
  const load = new Load(backend, { timeoutMs: fault.timeoutMs, keys: fault.keys, name: name.replace(/\W/g, "-") });
  // Another one is closed in the middle of it; before it, where it is so short that the fault might meet only this one.
  const leaving = new RedisBackend({ onOutage: () => {}, ...fault.backend });
  await new RateLimiter({ rate: 1000, name: "leaving", backend: leaving }).check("key");
  let [hurtAt, healAt, healedAt, leftMs] = [0, 0, 0, 0];
  try {
    if (fault.forMs < 500) await leaving.close();
    await sleep(500);
    hurtAt = clock();
    await fault.hurt();
    await sleep(fault.forMs / 2);
    const left = timeOf(() => leaving.close());
    await sleep(fault.forMs / 2);
    healAt = clock();
    await fault.heal();
    healedAt = clock();
    await sleep(backMs + 700);
    leftMs = await left;
  } finally {
    await load.stop();
    await backend.close();
    await leaving.close();
  }
  const { decisions, lateness } = load;
  const last = Math.max(
    healedAt,
    ...decisions.filter(({ source, from }) => from > healedAt && source !== "backend").map(({ from }) => from),
  );
  const backAfterMs = last - healedAt;
  const before = decisions.filter(({ to }) => to < hurtAt).slice(-10);
  const during = decisions.filter(({ from, to }) => from > hurtAt + noticedMs && to < healAt);
  process.stdout.write(
    `${name}: ${figures(decisions)}; back after ${backAfterMs.toFixed()} ms, closed meanwhile in ${leftMs.toFixed()} ms\n`,
  );

  const allowances = [{ name, from: isThere ? hurtAt : 0, to: healedAt + backMs, tokens: bursts * tight.burst }];
  const problems = [...lateOf(decisions), ...noiseOf(events), ...excessOf(decisions, allowances)];
  const expected = (what: string, is: unknown, wanted: unknown): void => {
    if (is !== wanted) problems.push(`Expected ${what} to be ${String(wanted)}, got ${String(is)}`);
  };
  const atMost = (what: string, is: number, most: number): void => {
    if (!(is <= most)) problems.push(`Expected ${what} to be at most ${most}, got ${is}`);
  };
  if (isThere) expected("one of those who decide before", sources(before).includes("backend") && "backend", "backend");
  if (fault.meanwhile !== undefined) expected("who decides meanwhile", sources(during), fault.meanwhile);
  if (fault.meanwhile === "local") {
    const times = during.map(({ from, to }) => to - from);
    atMost("p99 of local decisions, in ms", percentile(times, 0.99), 5 + percentile(lateness, 0.99));
  }
  atMost("ms until Redis decides again", backAfterMs, backMs);
  if (outages === "passing") {
    const keptAway = decisions.filter(({ source, from, to }) => source === "local" && to - from < (fault.timeoutMs ?? 100) - 10);
    atMost("calls that were decided without asking Redis", keptAway.length, 0);
    const last = events.all.at(-1);
    if (last !== undefined) expected("the last event to be a recovery", last.recovered, true);
  }
  // A fault of one moment may cost no more than one late answer.
  else if (fault.forMs < 500) atMost("recoveries told", events.recovered, outages);
  else expected("recoveries told", events.recovered, outages);
  atMost("ms that close() takes", leftMs, 2500);
  return { decisions, events, hurtAt, healedAt, backAfterMs, problems };
}

async function timeOf(act: () => Promise<void>): Promise<number> {
  const start = clock();
  await act();
  return clock() - start;
}

/** Decisions that are late, and calls that got none. */
export function lateOf(decisions: readonly Decision[]): string[] {
  return decisions.flatMap(({ error, from, to, within }) => [
    ...(error === undefined ? [] : [`A call failed: ${error instanceof Error ? error.message : typeof error}`]),
    ...(to - from <= within ? [] : [`A decision took ${(to - from).toFixed()} ms, in place of ${within.toFixed()}`]),
  ]);
}

/** Events that came within a second of one of their class. */
export function noiseOf({ all }: Events): string[] {
  const last = new Map<string, number>();
  return all
    .filter(({ recovered }) => !recovered)
    .flatMap((event) => {
      const after = event.at - (last.get(event.class) ?? Number.NEGATIVE_INFINITY);
      last.set(event.class, event.at);
      return after > 990 ? [] : [`Two events of ${event.class} within ${after.toFixed()} ms`];
    });
}

/** The window in which the tight limit was exceeded most, if it was. */
export function excessOf(
  decisions: readonly Decision[],
  allowances: readonly Allowance[],
  bound: Omit<Bound, "allowances"> = tight,
): string[] {
  const { excess, from, to } = worstWindow(
    decisions.filter(({ limiter }) => limiter === "tight"),
    { ...bound, allowances },
  );
  return excess <= 0 ? [] : [`Admitted ${excess.toFixed(1)} tokens beyond the bound in ${(to - from).toFixed()} ms`];
}

/** Who decided the calls of the wide limit. */
export function sources(decisions: readonly Decision[]): string {
  return [...new Set(decisions.filter(({ limiter }) => limiter === "wide").map(({ source }) => source))].sort().join(" and ");
}

export function percentile(numbers: readonly number[], share: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

export function figures(decisions: readonly Decision[]): string {
  const local = decisions.filter(({ source }) => source === "local").length;
  const times = decisions.map(({ from, to }) => to - from);
  const [p50, p99, most] = [0.5, 0.99, 1].map((share) => percentile(times, share).toFixed(1));
  return `${decisions.length} decisions, ${local} local, p50 ${p50} p99 ${p99} max ${most} ms`;
}
