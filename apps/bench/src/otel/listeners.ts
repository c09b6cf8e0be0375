import { subscribe } from "node:diagnostics_channel";
import { AggregationTemporality, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { reportMetrics } from "@ratelimit/otel";

export interface Listener {
  readonly name: string;
  /** Starts listening, if anybody does. */
  readonly start: () => void;
}

export const listeners = {
  none: { name: "nobody", start: () => {} },
  empty: { name: "a function that does nothing", start: () => subscribe("ratelimit:decision", () => {}) },
  otel: { name: "@ratelimit/otel, with the SDK", start: () => void report() },
  stopped: { name: "nobody any more, after `stop()`", start: () => report()() },
} as const satisfies Record<string, Listener>;

export type ListenerId = keyof typeof listeners;

function report(): () => void {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  return reportMetrics({ meterProvider: new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter })] }) });
}
