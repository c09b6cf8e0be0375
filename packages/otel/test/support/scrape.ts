import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { PrometheusExporter } from "@opentelemetry/exporter-prometheus";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import { type ReportMetricsOptions, reportMetrics, type StopReporting } from "@ratelimit/otel";

/** One line of a scrape. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** An SDK with a Prometheus exporter on a free port, and a report to it. */
export interface Scraped extends AsyncDisposable {
  readonly provider: MeterProvider;
  /** Ends the report. */
  readonly stop: StopReporting;
  /** Where a Prometheus finds the metrics. */
  readonly address: string;
  /** What a Prometheus would get now, as it is sent. */
  text(): Promise<string>;
  samples(): Promise<Sample[]>;
  /** The sum of the samples with this name and these labels. */
  sum(name: string, labels?: Readonly<Record<string, string>>): Promise<number>;
}

export async function startScraped(options: Omit<ReportMetricsOptions, "meterProvider"> = {}): Promise<Scraped> {
  const exporter = new PrometheusExporter({ preventServerStart: true });
  const server = createServer((request, response) => exporter.getMetricsRequestHandler(request, response)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const provider = new MeterProvider({ readers: [exporter] });
  const stop = reportMetrics({ ...options, meterProvider: provider });
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const text = async (): Promise<string> => (await fetch(`http://${address}/metrics`)).text();
  const samples = async (): Promise<Sample[]> => samplesOf(await text());
  return {
    provider,
    stop,
    address,
    text,
    samples,
    sum: async (name, labels = {}) =>
      (await samples())
        .filter((sample) => sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
        .reduce((sum, { value }) => sum + value, 0),
    [Symbol.asyncDispose]: async () => {
      stop();
      await provider.shutdown();
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Reads the text format of Prometheus, as far as the exporter writes it. */
function samplesOf(text: string): Sample[] {
  return [...text.matchAll(/^([a-z_]\w*)(?:\{(.*)\})? (\S+)(?: \d+)?$/gm)].map(([, name = "", labels = "", value = ""]) => ({
    name,
    labels: Object.fromEntries(
      [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label = "", escaped = ""]) => [label, escaped.replaceAll(/\\(.)/g, "$1")]),
    ),
    value: Number(value.replace("+Inf", "Infinity")),
  }));
}
