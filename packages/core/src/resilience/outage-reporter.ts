import { channel } from "node:diagnostics_channel";
import { type Clock, processClock } from "../clock.ts";
import { notify, publish } from "../listeners.ts";
import { warn } from "../warnings.ts";

const outages = channel("ratelimit:outage");
const failures = channel("ratelimit:failure");

/** How calls are decided while the backend is out: by a local bucket, all admitted, all refused, or none (each call rejects). */
export type OutageMode = "local" | "open" | "closed" | "throw";

/**
 * The kind of failure: the answer came too late, there was no connection, the server refuses all calls, the server refuses one limiter,
 * or one key contains a foreign value. The last two affect only that limiter or key: the backend decides all other calls.
 */
export type OutageClass = "timeout" | "connection" | "server" | "limiter" | "key";

/** Whether other limiters and keys are affected too. */
export function concernsServer(kind: OutageClass): boolean {
  return kind !== "limiter" && kind !== "key";
}

/** A message on `ratelimit:failure`: a call that the backend did not answer, or not in time. There is one for each, to be counted. */
export interface FailureMessage {
  readonly class: OutageClass;
}

/** An event for `onOutage` and the channel `ratelimit:outage`, at most one per second and class. */
export interface OutageEvent {
  readonly class: OutageClass;
  /** How the call was decided instead. */
  readonly source: OutageMode;
  /** Failures of this class since the last event that were not reported. */
  readonly suppressed: number;
  /** The cause of the failure. Never contains a key. */
  readonly reason?: string;
  /** A digest of the affected key, if only one is affected; never the key itself. */
  readonly keyHash?: string;
  /** The prefix of the refused limiter's stored keys: its `keyPrefix` and its name. */
  readonly prefix?: string;
  /** Set when the backend is back. */
  readonly recovered?: true;
}

const listenerThrew = "RATELIMIT_ON_OUTAGE_THREW";

/** The minimum time between events of one class, and the time without failures after which the next one is a new outage, in ms. */
const [quietMs, overMs] = [1000, 60_000];

/** Reports outages without flooding: to `onOutage` and the channel, or, if nobody listens, with one warning per outage. */
export class OutageReporter {
  readonly #source: OutageMode;
  readonly #onOutage: ((event: OutageEvent) => void) | undefined;
  readonly #clock: Clock;
  readonly #reported = new Map<OutageClass, { at: number; suppressed: number }>();
  /** The last report of an outage that is not over. */
  #outage: { readonly kind: OutageClass; readonly reason: string | undefined } | undefined;
  /** What has been warned about: the backend, or single keys. */
  readonly #warned = new Set<"backend" | "key">();
  #failedAt = Number.NEGATIVE_INFINITY;

  constructor(source: OutageMode, onOutage: ((event: OutageEvent) => void) | undefined, clock: Clock = processClock) {
    this.#source = source;
    this.#onOutage = onOutage;
    this.#clock = clock;
  }

  /** Whether the current outage was reported for another reason, or not at all. */
  isNews(reason: string): boolean {
    return this.#outage?.reason !== reason;
  }

  failed(kind: OutageClass, details: Pick<OutageEvent, "reason" | "keyHash" | "prefix">): void {
    if (failures.hasSubscribers) publish(failures, { class: kind } satisfies FailureMessage, "RATELIMIT_LISTENER_THREW");
    const now = this.#clock.now();
    if (now - this.#failedAt > overMs) this.#warned.clear();
    this.#failedAt = now;
    const before = this.#reported.get(kind);
    if (before !== undefined && now - before.at < quietMs) {
      before.suppressed++;
      return;
    }
    this.#reported.set(kind, { at: now, suppressed: 0 });
    if (kind !== "key") this.#outage = { kind, reason: details.reason };
    this.#emit({ class: kind, source: this.#source, suppressed: before?.suppressed ?? 0, ...details });
    this.#warn(kind, details.reason);
  }

  /**
   * Reports the end of an outage that was reported, once.
   *
   * `passing` means that calls failed only now and then and the breaker never opened. The next such failure then causes no warning,
   * because a backend that is occasionally late would cause one every second.
   */
  recovered(passing: boolean = false): void {
    const kind = this.#outage?.kind;
    this.#outage = undefined;
    if (!passing) this.#warned.delete("backend");
    if (kind === undefined) return;
    const reported = this.#reported.get(kind);
    this.#emit({ class: kind, source: this.#source, suppressed: reported?.suppressed ?? 0, recovered: true });
    if (reported !== undefined) reported.suppressed = 0;
  }

  #emit(event: OutageEvent): void {
    if (outages.hasSubscribers) publish(outages, event, listenerThrew);
    if (this.#onOutage !== undefined) notify(this.#onOutage, event, "onOutage", listenerThrew);
  }

  #warn(kind: OutageClass, reason: string | undefined): void {
    const what = kind === "key" ? "key" : "backend";
    if (this.#warned.has(what) || this.#onOutage !== undefined || outages.hasSubscribers || failures.hasSubscribers) return;
    this.#warned.add(what);
    const why = reason === undefined ? "" : `: ${reason}`;
    const consequence = consequences[this.#source];
    warn(
      "RATELIMIT_OUTAGE",
      kind === "limiter"
        ? `The backend refuses one limiter (${kind}${why}); its calls ${consequence} until it is served again`
        : `The rate-limit backend is out (${kind}${why}); calls ${consequence} until it is back`,
    );
  }
}

const consequences: Readonly<Record<OutageMode, string>> = {
  local: "are decided by this process alone",
  open: "are all admitted",
  closed: "are all refused",
  throw: "fail with an error",
};
