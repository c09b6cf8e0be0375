import { BoundChecker, type WorstWindow } from "./bound-checker.ts";
import type { Reply } from "./client.ts";
import { clock } from "./clock.ts";
import { type Figures, Latencies } from "./latencies.ts";
import { hotKeys, type Kind, outageTokens, rules, servers } from "./rules.ts";

export interface TallyOptions {
  readonly knownKeys: number;
  /** The longest that a decision may take, in ms. */
  readonly promisedMs: number;
}

/** The calls since the previous report. */
export interface MinuteReport {
  readonly requests: number;
  readonly refused: number;
  /** Hot keys: calls that were admitted, as a share of what the rate allows. */
  readonly hotShare: number;
  /** Only calls outside outages. */
  readonly calm: Figures;
  /** Calls outside outages that were admitted without Redis. */
  readonly calmLocal: number;
}

/** The calls that were under way at some time during an outage. */
export interface OutageReport extends Figures {
  readonly local: number;
  /** When each server last received a call that it admitted without Redis. */
  readonly lastLocalAt: readonly number[];
}

/** All calls. */
export interface Totals {
  readonly requests: number;
  /** How many responses were neither 200 nor 429, by status or error. */
  readonly failures: Readonly<Record<string, number>>;
  readonly hot: WorstWindow;
  readonly known: WorstWindow;
}

/** Adds up the replies, and checks what was admitted. */
export class Tally {
  readonly #promisedMs: number;
  readonly #hot: BoundChecker;
  readonly #known: BoundChecker;
  readonly #failures: Record<string, number> = {};
  #requests = 0;
  #minute = { requests: 0, refused: 0, hot: 0, calmLocal: 0, from: clock() };
  #calm: Latencies;
  #outage: { readonly latencies: Latencies; local: number; readonly lastLocalAt: number[] } | undefined;
  #outageEnd = Number.NEGATIVE_INFINITY;

  constructor({ knownKeys, promisedMs }: TallyOptions) {
    this.#promisedMs = promisedMs;
    this.#calm = new Latencies(promisedMs);
    this.#hot = newChecker(hotKeys, "hot");
    this.#known = newChecker(knownKeys, "known");
  }

  add({ server, kind, key, from, to, outcome, isLocal }: Reply): void {
    this.#requests++;
    this.#minute.requests++;
    const isAdmitted = outcome === 200;
    if (outcome === 429) this.#minute.refused++;
    else if (!isAdmitted) this.#failures[outcome] = (this.#failures[outcome] ?? 0) + 1;
    if (isAdmitted && kind === "hot") this.#minute.hot++;

    const outage = this.#outage;
    const isCalm = outage === undefined && from > this.#outageEnd;
    (outage?.latencies ?? this.#calm).add({ server, from, to });
    if (isLocal && outage !== undefined) {
      outage.local++;
      outage.lastLocalAt[server] = Math.max(outage.lastLocalAt[server] ?? 0, from);
    }
    if (isLocal && isCalm) this.#minute.calmLocal++;
    // A late answer makes a process decide a single call itself. Such calls are counted instead, and must be rare.
    else if (isAdmitted) this.#checkerOf(kind)?.admitted(key, from, to);
  }

  outageBegins(): void {
    this.#outage = { latencies: new Latencies(this.#promisedMs), local: 0, lastLocalAt: servers.map(() => 0) };
    for (const checker of [this.#hot, this.#known]) checker.outageBegins();
  }

  outageEnds(): OutageReport {
    const outage = this.#outage;
    if (outage === undefined) throw new Error("There is no outage");
    this.#outageEnd = clock();
    this.#outage = undefined;
    for (const checker of [this.#hot, this.#known]) checker.outageEnds(this.#outageEnd);
    return { ...outage.latencies.figures, local: outage.local, lastLocalAt: outage.lastLocalAt };
  }

  /** Returns the figures since the last report. */
  report(): MinuteReport {
    const { requests, refused, hot, calmLocal, from } = this.#minute;
    const now = clock();
    const hotShare = hot / (hotKeys * (rules.hot.rate / rules.hot.period) * ((now - from) / 1000));
    const calm = this.#calm.figures;
    this.#minute = { requests: 0, refused: 0, hot: 0, calmLocal: 0, from: now };
    this.#calm = new Latencies(this.#promisedMs);
    return { requests, refused, hotShare, calm, calmLocal };
  }

  get totals(): Totals {
    return { requests: this.#requests, failures: this.#failures, hot: this.#hot.worst, known: this.#known.worst };
  }

  /** A key that is used once has nothing to check. */
  #checkerOf(kind: Kind): BoundChecker | undefined {
    return { hot: this.#hot, known: this.#known, fresh: undefined, proof: undefined }[kind];
  }
}

function newChecker(keys: number, kind: "hot" | "known"): BoundChecker {
  const { rate, period, burst } = rules[kind];
  const seconds = period === "1h" ? 3600 : period;
  return new BoundChecker(keys, { burst, rate: rate / seconds, outageTokens: outageTokens(burst) });
}
