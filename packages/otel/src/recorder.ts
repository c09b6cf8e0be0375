import type { ObservableResult } from "@opentelemetry/api";
import type { BlockMessage, BreakerMessage, DecisionMessage, EvictMessage, FailureMessage, OutageClass } from "@ratelimit/core";
import type { Instruments } from "./instruments.ts";
import { LimiterNames } from "./limiter-names.ts";
import { Tally } from "./tally.ts";

/** Turns the messages on the channels of `@ratelimit/core` into measurements. No attribute ever contains a key, an address or a URL. */
export class Recorder {
  readonly #instruments: Instruments;
  readonly #nearLimit: number;
  readonly #names: LimiterNames;
  readonly #decisions: Tally;
  readonly #nearLimits: Tally;
  readonly #failures: Tally;
  readonly #openBreakers = new Set<symbol>();

  constructor(instruments: Instruments, nearLimit: number) {
    this.#instruments = instruments;
    this.#nearLimit = nearLimit;
    this.#decisions = new Tally(instruments.decisions);
    this.#nearLimits = new Tally(instruments.nearLimit);
    this.#failures = new Tally(instruments.failures);
    // Series that start at 0: otherwise Prometheus would not see their first increase.
    instruments.evictions.add(0);
    for (const kind of outageClasses) instruments.failures.add(0, { "error.type": kind });
    this.#names = new LimiterNames((name) => {
      instruments.nearLimit.add(0, { "ratelimit.limiter": name });
      instruments.blocks.add(0, { "ratelimit.limiter": name });
    });
  }

  decided(message: DecisionMessage): void {
    const { source } = message.result;
    const name = this.#names.reported(message.limiter);
    const outcome = outcomeOf(message);
    this.#decisions.count(`${source} ${outcome} ${name}`, () => ({
      "ratelimit.limiter": name,
      "ratelimit.outcome": outcome,
      "ratelimit.source": source,
    }));
    if (this.#isNearLimit(message)) this.#nearLimits.count(name, () => ({ "ratelimit.limiter": name }));
    this.#instruments.duration.record(message.durationMs / 1000, { "ratelimit.limiter": name, "ratelimit.source": source });
  }

  blocked({ limiter }: BlockMessage): void {
    this.#instruments.blocks.add(1, { "ratelimit.limiter": this.#names.reported(limiter) });
  }

  failed({ class: kind }: FailureMessage): void {
    this.#failures.count(kind, () => ({ "error.type": kind }));
  }

  switched({ breaker, isOpen }: BreakerMessage): void {
    if (isOpen) this.#openBreakers.add(breaker);
    else this.#openBreakers.delete(breaker);
  }

  evicted({ count }: EvictMessage): void {
    this.#instruments.evictions.add(count);
  }

  /** Called when the SDK collects. It does so before it reads the counters, so that these are up to date. */
  observe(result: ObservableResult): void {
    result.observe(this.#openBreakers.size);
    this.flush();
  }

  /** Hands what was counted since the last collection to the SDK. */
  flush(): void {
    this.#decisions.flush();
    this.#nearLimits.flush();
    this.#failures.flush();
  }

  #isNearLimit({ result }: DecisionMessage): boolean {
    return result.allowed && result.limits.some(({ remaining, burst }) => remaining <= this.#nearLimit * burst);
  }
}

const outageClasses = Object.keys({
  timeout: true,
  connection: true,
  server: true,
  limiter: true,
  key: true,
} satisfies Record<OutageClass, true>);

function outcomeOf({ result, blockedMs }: DecisionMessage): "admitted" | "refused" | "blocked" {
  if (result.allowed) return "admitted";
  return blockedMs === undefined ? "refused" : "blocked";
}
