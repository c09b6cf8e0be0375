import { channel } from "node:diagnostics_channel";
import { type Clock, processClock } from "../clock.ts";
import { notify, publish } from "../listeners.ts";
import { warn } from "../warnings.ts";

const outages = channel("ratelimit:outage");

/** What decides while the backend is out: a bucket of this process, yes, no, or nobody (the call rejects). */
export type OutageMode = "local" | "open" | "closed" | "throw";

/**
 * What failed: the answer came too late, there was no connection, the server refuses to work, the server refuses one limiter,
 * or one key holds a foreign value. The last two concern that limiter or key alone: the backend decides all other calls.
 */
export type OutageClass = "timeout" | "connection" | "server" | "limiter" | "key";

/** Whether other limiters and keys are affected too. */
export function concernsServer(kind: OutageClass): boolean {
  return kind !== "limiter" && kind !== "key";
}

/** What `onOutage` and the channel `ratelimit:outage` are told, at most once a second and class. */
export interface OutageEvent {
  readonly class: OutageClass;
  /** What decided in place of the backend. */
  readonly source: OutageMode;
  /** Failures of this class since the last event that were not told. */
  readonly suppressed: number;
  /** What was the matter; never a key. */
  readonly reason?: string;
  /** Of the one key that is bad: a digest, never the key. */
  readonly keyHash?: string;
  /** What the stored keys of the refused limiter begin with: its `keyPrefix` and its name. */
  readonly prefix?: string;
  /** The backend is back. */
  readonly recovered?: true;
}

const listenerThrew = "RATELIMIT_ON_OUTAGE_THREW";

/** One event per class in this time, in ms; without a failure for so long, the next one is another outage to warn of. */
const [quietMs, overMs] = [1000, 60_000];

/** Tells outages without a flood: to `onOutage` and the channel; where nobody listens, by one warning per outage. */
export class OutageReporter {
  readonly #source: OutageMode;
  readonly #onOutage: ((event: OutageEvent) => void) | undefined;
  readonly #clock: Clock;
  readonly #told = new Map<OutageClass, { at: number; suppressed: number }>();
  /** What was last told of an outage that is not over. */
  #outage: { readonly kind: OutageClass; readonly reason: string | undefined } | undefined;
  /** What was warned of: the backend, or single keys. */
  readonly #warned = new Set<"backend" | "key">();
  #failedAt = Number.NEGATIVE_INFINITY;

  constructor(source: OutageMode, onOutage: ((event: OutageEvent) => void) | undefined, clock: Clock = processClock) {
    this.#source = source;
    this.#onOutage = onOutage;
    this.#clock = clock;
  }

  /** Whether the outage of now was told otherwise, or not at all. */
  isNews(reason: string): boolean {
    return this.#outage?.reason !== reason;
  }

  failed(kind: OutageClass, details: Pick<OutageEvent, "reason" | "keyHash" | "prefix">): void {
    const now = this.#clock.now();
    if (now - this.#failedAt > overMs) this.#warned.clear();
    this.#failedAt = now;
    const before = this.#told.get(kind);
    if (before !== undefined && now - before.at < quietMs) {
      before.suppressed++;
      return;
    }
    this.#told.set(kind, { at: now, suppressed: 0 });
    if (kind !== "key") this.#outage = { kind, reason: details.reason };
    this.#tell({ class: kind, source: this.#source, suppressed: before?.suppressed ?? 0, ...details });
    this.#warn(kind, details.reason);
  }

  /**
   * Reports the end of an outage that was reported, once.
   *
   * `passing` says that calls only failed now and then and the backend was never left alone. The next such failure is not worth a warning
   * of its own, or a backend that is late now and then would cause one every second.
   */
  recovered(passing: boolean = false): void {
    const kind = this.#outage?.kind;
    this.#outage = undefined;
    if (!passing) this.#warned.delete("backend");
    if (kind === undefined) return;
    const told = this.#told.get(kind);
    this.#tell({ class: kind, source: this.#source, suppressed: told?.suppressed ?? 0, recovered: true });
    if (told !== undefined) told.suppressed = 0;
  }

  #tell(event: OutageEvent): void {
    if (outages.hasSubscribers) publish(outages, event, listenerThrew);
    if (this.#onOutage !== undefined) notify(this.#onOutage, event, "onOutage", listenerThrew);
  }

  #warn(kind: OutageClass, reason: string | undefined): void {
    const what = kind === "key" ? "key" : "backend";
    if (this.#warned.has(what) || this.#onOutage !== undefined || outages.hasSubscribers) return;
    this.#warned.add(what);
    const why = reason === undefined ? "" : `: ${reason}`;
    const made = meaning[this.#source];
    warn(
      "RATELIMIT_OUTAGE",
      kind === "limiter"
        ? `The backend refuses one limiter (${kind}${why}); its decisions are ${made} until it is served`
        : `The rate limits' backend is out (${kind}${why}); decisions are ${made} until it is back`,
    );
  }
}

const meaning: Readonly<Record<OutageMode, string>> = {
  local: "made by this process alone",
  open: "all to admit",
  closed: "all to refuse",
  throw: "errors",
};
