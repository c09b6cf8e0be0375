import { channel } from "node:diagnostics_channel";

const outages = channel("ratelimit:outage");

/** What decides while the backend is out: a bucket of this process, yes, no, or nobody (the call rejects). */
export type Outage = "local" | "open" | "closed" | "throw";

/** What failed: the answer came too late, there was no connection, the server refuses to work, or one key holds a foreign value. */
export type OutageClass = "timeout" | "connection" | "server" | "key";

/** What `onOutage` and the channel `ratelimit:outage` are told, at most once a second and class. */
export interface OutageEvent {
  readonly class: OutageClass;
  /** What decided in place of the backend. */
  readonly source: Outage;
  /** Failures of this class since the last event that were not told. */
  readonly suppressed: number;
  /** What was the matter; never a key. */
  readonly reason?: string;
  /** Of the one key that is bad: a digest, never the key. */
  readonly keyHash?: string;
  /** The backend is back. */
  readonly recovered?: true;
}

/** One event per class in this time, in ms. */
const quietMs = 1000;

/** Tells outages without a flood: to `onOutage` and the channel; where nobody listens, by one warning per outage. */
export class OutageReporter {
  readonly #source: Outage;
  readonly #onOutage: ((event: OutageEvent) => void) | undefined;
  readonly #told = new Map<OutageClass, { at: number; suppressed: number }>();
  #warned = false;
  #last: OutageClass = "connection";

  constructor(source: Outage, onOutage: ((event: OutageEvent) => void) | undefined) {
    this.#source = source;
    this.#onOutage = onOutage;
  }

  failed(kind: OutageClass, details: { reason?: string; keyHash?: string }): void {
    const now = performance.now();
    const before = this.#told.get(kind);
    this.#last = kind;
    if (before !== undefined && now - before.at < quietMs) {
      before.suppressed++;
      return;
    }
    this.#told.set(kind, { at: now, suppressed: 0 });
    this.#tell({ class: kind, source: this.#source, suppressed: before?.suppressed ?? 0, ...details });
    this.#warn(kind, details.reason);
  }

  recovered(): void {
    const suppressed = this.#told.get(this.#last)?.suppressed ?? 0;
    this.#told.clear();
    this.#warned = false;
    this.#tell({ class: this.#last, source: this.#source, suppressed, recovered: true });
  }

  #tell(event: OutageEvent): void {
    if (outages.hasSubscribers) outages.publish(event);
    try {
      this.#onOutage?.(event);
    } catch (error) {
      process.emitWarning(`onOutage threw: ${error instanceof Error ? error.message : "not an Error"}`, {
        type: "RateLimitWarning",
        code: "RATELIMIT_ON_OUTAGE_THREW",
      });
    }
  }

  #warn(kind: OutageClass, reason: string | undefined): void {
    if (this.#warned || this.#onOutage !== undefined || outages.hasSubscribers) return;
    this.#warned = true;
    process.emitWarning(
      `The rate limits' backend is out (${kind}${reason === undefined ? "" : `: ${reason}`}); decisions are ${meaning[this.#source]}`,
      {
        type: "RateLimitWarning",
        code: "RATELIMIT_OUTAGE",
      },
    );
  }
}

const meaning: Readonly<Record<Outage, string>> = {
  local: "made by this process alone until it is back",
  open: "all to admit until it is back",
  closed: "all to refuse until it is back",
  throw: "errors until it is back",
};
