import { setTimeout as sleep } from "node:timers/promises";
import { RedisBackend, type RedisBackendOptions } from "@ratelimit/backend-redis";
import { type Allowance, type Bound, worstWindow } from "@ratelimit/conformance";
import { RateLimiter } from "@ratelimit/core";
import type { DecisionSource } from "@ratelimit/core/backend";
import { clock } from "./clock.ts";
import { type Decision, Events, Load, tight } from "./load.ts";

/** What to do to Redis, and what must happen as a result. */
export interface Fault {
  readonly backend: RedisBackendOptions;
  /** Breaks something, and `heal` repairs it. */
  readonly hurt: () => unknown;
  readonly heal: () => unknown;
  /** How long it lasts, in ms. */
  readonly forMs: number;
  /** What decides calls during the fault, once the process has noticed it. Leave it out if it may be either. */
  readonly meanwhile?: DecisionSource;
  /** Whether every call still asks Redis, because Redis only refuses this limiter. Local decisions then take a round trip. */
  readonly stillAsks?: boolean;
  /**
   * How soon Redis must decide again, in ms after it can.
   * @defaultValue 1000
   */
  readonly backMs?: number;
  /**
   * How many extra bursts of a key may be admitted.
   * @defaultValue 1, because the bucket in Redis fills while a local one is used
   */
  readonly bursts?: number;
  /**
   * How many outages must be reported as over. "passing" allows any number, but every call must still ask Redis.
   * @defaultValue 1
   */
  readonly outages?: number | "passing";
  /**
   * Whether Redis is available at the start.
   * @defaultValue true
   */
  readonly isThere?: boolean;
  readonly timeoutMs?: number;
  readonly keys?: readonly string[];
}

/** What happened. */
export interface Seen {
  readonly decisions: readonly Decision[];
  readonly events: Events;
  readonly hurtAt: number;
  readonly healedAt: number;
  /** Ms from the repair to the last decision that Redis did not make. */
  readonly backAfterMs: number;
  /** Every expectation that was not met. */
  readonly problems: readonly string[];
}

/** Ms after which a process must have noticed: five failures and half a second, and one more deadline. */
const noticedMs = 900;

/** Puts a backend under load, breaks and repairs what is behind it, and checks that decisions stayed in time and within the limit. */
export async function runFault(name: string, fault: Fault): Promise<Seen> {
  const { backMs = 1000, bursts = 1, outages = 1, isThere = true } = fault;
  const events = new Events();
  const backend = new RedisBackend({ denyCache: false, onOutage: events.listener, ...fault.backend });
  const load = new Load(backend, { timeoutMs: fault.timeoutMs, keys: fault.keys, name: name.replace(/\W/g, "-") });
  // Closed in the middle of the fault, or before it if the fault is so short that it might hit only this backend.
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
    `${name}: ${figures(decisions)}; back after ${backAfterMs.toFixed()} ms, closed during the fault in ${leftMs.toFixed()} ms\n`,
  );

  const allowances = [{ name, from: isThere ? hurtAt : 0, to: healedAt + backMs, tokens: bursts * tight.burst }];
  const problems = [...lateOf(decisions), ...noiseOf(events), ...excessOf(decisions, allowances)];
  const expected = (what: string, is: unknown, wanted: unknown): void => {
    if (is !== wanted) problems.push(`Expected ${what} to be ${String(wanted)}, got ${String(is)}`);
  };
  const atMost = (what: string, is: number, most: number): void => {
    if (!(is <= most)) problems.push(`Expected ${what} to be at most ${most}, got ${is}`);
  };
  if (isThere) expected("a source before the fault", sources(before).includes("backend") && "backend", "backend");
  if (fault.meanwhile !== undefined) expected("the source during the fault", sources(during), fault.meanwhile);
  if (fault.meanwhile === "local" && !fault.stillAsks) {
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
  // A momentary fault may cost no more than one late answer.
  else if (fault.forMs < 500) atMost("reported recoveries", events.recovered, outages);
  else expected("reported recoveries", events.recovered, outages);
  atMost("ms that close() takes", leftMs, 2500);
  return { decisions, events, hurtAt, healedAt, backAfterMs, problems };
}

async function timeOf(act: () => Promise<void>): Promise<number> {
  const start = clock();
  await act();
  return clock() - start;
}

/** Describes decisions that were late and calls that failed. */
export function lateOf(decisions: readonly Decision[]): string[] {
  return decisions.flatMap(({ error, from, to, within }) => [
    ...(error === undefined ? [] : [`A call failed: ${error instanceof Error ? error.message : typeof error}`]),
    ...(to - from <= within ? [] : [`A decision took ${(to - from).toFixed()} ms instead of ${within.toFixed()}`]),
  ]);
}

/** Describes events that came within a second of another of the same class. */
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

/** Describes the window in which the tight limit was exceeded most, if it was. */
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

/** Returns what decided the calls of the wide limit. */
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
