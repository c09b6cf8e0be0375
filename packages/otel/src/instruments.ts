import type { Counter, Histogram, Meter, ObservableUpDownCounter } from "@opentelemetry/api";

/** What is measured, as the README lists it. */
export interface Instruments {
  readonly decisions: Counter;
  readonly nearLimit: Counter;
  readonly duration: Histogram;
  readonly failures: Counter;
  readonly openBreakers: ObservableUpDownCounter;
  readonly evictions: Counter;
  readonly blocks: Counter;
}

/**
 * Upper bounds in seconds: from a decision in memory, over one by Redis, to one that waits for the default `timeout` of 100 ms, which takes
 * at most 150 ms.
 */
const durationBounds = [0.00001, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1];

export function createInstruments(meter: Meter): Instruments {
  return {
    decisions: meter.createCounter("ratelimit.decisions", {
      description: "Decisions of a limiter",
      unit: "{decision}",
    }),
    nearLimit: meter.createCounter("ratelimit.near_limit", {
      description: "Admitted decisions that left little in a bucket",
      unit: "{decision}",
    }),
    duration: meter.createHistogram("ratelimit.decision.duration", {
      description: "Time from a call to its decision",
      unit: "s",
      advice: { explicitBucketBoundaries: durationBounds },
    }),
    failures: meter.createCounter("ratelimit.backend.failures", {
      description: "Calls that the backend did not answer, or not in time",
      unit: "{failure}",
    }),
    openBreakers: meter.createObservableUpDownCounter("ratelimit.breaker.open", {
      description: "Open circuit breakers: servers of a backend that get no calls because they are out",
      unit: "{breaker}",
    }),
    evictions: meter.createCounter("ratelimit.evictions", {
      description: "Buckets that were evicted because maxKeys was reached",
      unit: "{bucket}",
    }),
    blocks: meter.createCounter("ratelimit.blocks", {
      description: "Calls of block()",
      unit: "{block}",
    }),
  };
}
