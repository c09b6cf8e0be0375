export { type ReportMetricsOptions, reportMetrics, type StopReporting } from "./report-metrics.ts";
