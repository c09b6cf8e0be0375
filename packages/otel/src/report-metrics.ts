import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { createNoopMeter, type MeterProvider, metrics, type ObservableResult } from "@opentelemetry/api";
import type { BlockMessage, BreakerMessage, DecisionMessage, EvictMessage, FailureMessage } from "@ratelimit/core";
import { RateLimitError } from "@ratelimit/core";
import { checkOptions, processWide, type Rules, warnOnce } from "@ratelimit/core/adapter";
import { createInstruments } from "./instruments.ts";
import { Recorder } from "./recorder.ts";

/** Options of `reportMetrics`. */
export interface ReportMetricsOptions {
  /**
   * Where to report to.
   * @defaultValue the global one, which the SDK registers when it starts
   */
  meterProvider?: MeterProvider | undefined;
  /**
   * An admitted call counts as near the limit if it leaves at most this part of a bucket: 0.1 is 10 of 100 tokens.
   * @defaultValue 0.1
   */
  nearLimit?: number | undefined;
}

/** Ends the reporting. A second call does nothing. */
export interface StopReporting {
  (): void;
  [Symbol.dispose](): void;
}

const rules: Rules = {
  meterProvider: {
    expects: "a MeterProvider",
    accepts: (value) => typeof (value as Partial<MeterProvider> | null)?.getMeter === "function",
    mask: () => "something else",
    hint: "pass that of the OpenTelemetry SDK, or leave it out",
  },
  nearLimit: {
    expects: "a number from 0 to 1",
    accepts: (value) => typeof value === "number" && value >= 0 && value <= 1,
    hint: "write nearLimit: 0.1 for a tenth of the bucket",
  },
};

interface Report {
  readonly nearLimit: number;
  readonly stop: StopReporting;
}

/** The running reports, of all copies of this package: two reports of one process to one provider would count everything twice. */
const reports = processWide("otel reports", () => new WeakMap<MeterProvider, Report>());

/** What is left of reports that were stopped, until another one for the same provider begins. */
const remains = processWide("otel remains", () => new WeakMap<MeterProvider, () => void>());

/**
 * Reports what all limiters of this process decide as OpenTelemetry metrics, until the returned function is called.
 *
 * Call it once, after the SDK has started. Another call with the same provider changes nothing and returns the same function.
 *
 * @throws {RateLimitError} INVALID_OPTION if an option is invalid, or if another call for this provider has set another `nearLimit`.
 * @example
 * const stop = reportMetrics();
 */
export function reportMetrics(options: ReportMetricsOptions = {}): StopReporting {
  checkOptions("options", options, rules);
  const { meterProvider = metrics.getMeterProvider(), nearLimit = 0.1 } = options;
  const running = reports.get(meterProvider);
  if (running === undefined) return startReport(meterProvider, nearLimit);
  if (running.nearLimit === nearLimit) return running.stop;
  const message = `Expected \`nearLimit\` to be ${running.nearLimit}, as in the first call, got ${nearLimit}: stop the first report before you change it`;
  throw new RateLimitError("INVALID_OPTION", message);
}

function startReport(provider: MeterProvider, nearLimit: number): StopReporting {
  const meter = provider.getMeter("@ratelimit/otel");
  if (meter === createNoopMeter()) {
    const hint = "start the SDK before you call reportMetrics(), or pass its `meterProvider`";
    warnOnce("RATELIMIT_NO_METER_PROVIDER", `Nothing is reported, because OpenTelemetry has no MeterProvider: ${hint}`);
    return stopWith(() => {});
  }
  const instruments = createInstruments(meter);
  const recorder = new Recorder(instruments, nearLimit);
  const observe = (result: ObservableResult): void => recorder.observe(result);
  const unsubscribeAll = subscribeAll(recorder);
  remains.get(provider)?.();
  instruments.openBreakers.addCallback(observe);
  const stop = stopWith(() => {
    unsubscribeAll();
    recorder.flush();
    instruments.openBreakers.removeCallback(observe);
    // The SDK goes on exporting the last number of open breakers, and an alert on it would never end.
    instruments.openBreakers.addCallback(observeNone);
    remains.set(provider, () => instruments.openBreakers.removeCallback(observeNone));
    reports.delete(provider);
  });
  reports.set(provider, { nearLimit, stop });
  return stop;
}

function observeNone(result: ObservableResult): void {
  result.observe(0);
}

/** Subscribes a recorder to all channels. The returned function ends that. */
function subscribeAll(recorder: Recorder): () => void {
  const listeners: readonly [channel: string, listener: (message: unknown) => void][] = [
    ["ratelimit:decision", (message) => recorder.decided(message as DecisionMessage)],
    ["ratelimit:block", (message) => recorder.blocked(message as BlockMessage)],
    ["ratelimit:failure", (message) => recorder.failed(message as FailureMessage)],
    ["ratelimit:breaker", (message) => recorder.switched(message as BreakerMessage)],
    ["ratelimit:evict", (message) => recorder.evicted(message as EvictMessage)],
  ];
  for (const [channel, listener] of listeners) subscribe(channel, listener);
  return () => {
    for (const [channel, listener] of listeners) unsubscribe(channel, listener);
  };
}

/** Makes a function that calls `end` the first time it is called. */
function stopWith(end: () => void): StopReporting {
  let hasEnded = false;
  const stop = (): void => {
    if (hasEnded) return;
    hasEnded = true;
    end();
  };
  return Object.assign(stop, { [Symbol.dispose]: stop });
}
