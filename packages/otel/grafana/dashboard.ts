/* oxlint-disable typescript/no-deprecated -- Every Grafana can import this format of a dashboard, but only the newest its successor. */
import {
  BigValueColorMode,
  BigValueGraphMode,
  ReduceDataOptionsBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VizTooltipOptionsBuilder,
} from "@grafana/grafana-foundation-sdk/common";
import {
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  VariableRefresh,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { DataqueryBuilder } from "@grafana/grafana-foundation-sdk/prometheus";
import { PanelBuilder as StatBuilder } from "@grafana/grafana-foundation-sdk/stat";
import { PanelBuilder as TimeseriesBuilder } from "@grafana/grafana-foundation-sdk/timeseries";
import { queries } from "./queries.ts";

const datasource = { type: "prometheus", uid: "$datasource" };

/** One line of a panel: its query, and how its series are named. */
type Line = readonly [query: keyof typeof queries, legend: string];

/**
 * Builds the dashboard with Grafana's own builders, so that the compiler checks it against Grafana's schema. The test writes it to
 * ratelimit.json.
 */
export function buildDashboard(): Dashboard {
  const dashboard = new DashboardBuilder("Rate limits")
    .uid("ratelimit")
    .description("What @ratelimit decides, and how its backend is. From @ratelimit/otel.")
    .tags(["ratelimit"])
    .time({ from: "now-3h", to: "now" })
    .refresh("30s")
    .tooltip(DashboardCursorSync.Crosshair)
    .withVariable(new DatasourceVariableBuilder("datasource").label("Data source").type("prometheus"))
    .withVariable(choice("job", "Service", "label_values(ratelimit_decisions_total, job)"))
    .withVariable(choice("limiter", "Limiter", 'label_values(ratelimit_decisions_total{job=~"$job"}, ratelimit_limiter)'))
    .withRow(new RowBuilder("Now"))
    .withPanel(figure("Decisions", "reqps", "decisions"))
    .withPanel(figure("Refused", "percentunit", "refusedShare", [0.05, 0.2]))
    .withPanel(figure("Near the limit", "percentunit", "nearLimitShare", [0.1, 0.3]))
    .withPanel(figure("Decided without the backend", "percentunit", "withoutBackendShare", [0.0001, 0.01]))
    .withPanel(figure("Open breakers", "none", "openBreakers", [1, 1]))
    .withPanel(figure("Latency, 99 %", "s", "p99", [0.05, 0.15]))
    .withRow(new RowBuilder("Limits"))
    .withPanel(stacked("Decisions by outcome", "reqps", ["decisionsByOutcome", "{{ratelimit_outcome}}"]))
    .withPanel(lines("Refused, by limiter", "percentunit", ["refusedShareByLimiter", "{{ratelimit_limiter}}"]))
    .withPanel(lines("Near the limit, by limiter", "percentunit", ["nearLimitShareByLimiter", "{{ratelimit_limiter}}"]))
    .withPanel(
      lines(
        "Blocks",
        "reqps",
        ["blocks", "{{ratelimit_limiter}}: calls of block()"],
        ["blockedRefusals", "{{ratelimit_limiter}}: refused because blocked"],
      ),
    )
    .withRow(new RowBuilder("Backend"))
    .withPanel(stacked("Decisions by source", "reqps", ["decisionsBySource", "{{ratelimit_source}}"]))
    .withPanel(lines("Latency", "s", ["p50", "50 %"], ["p99", "99 %"], ["p99BySource", "99 %, {{ratelimit_source}}"]))
    .withPanel(stacked("Failures by class", "reqps", ["failuresByClass", "{{error_type}}"]))
    .withPanel(
      lines(
        "Open breakers and evictions",
        "none",
        ["openBreakersByInstance", "{{instance}}: open breakers"],
        ["evictions", "{{instance}}: evictions per second"],
      ),
    )
    .build();
  return { ...dashboard, panels: (dashboard.panels ?? []).map((panel, i) => ({ ...panel, id: i + 1 })) };
}

function choice(name: string, label: string, query: string): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .label(label)
    .datasource(datasource)
    .query(query)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .multi(true)
    .includeAll(true)
    .allValue(".*")
    .current({ text: "All", value: "$__all" });
}

/** One number, which turns yellow and red at two thresholds. */
function figure(title: string, unit: string, query: keyof typeof queries, thresholds?: readonly [number, number]): StatBuilder {
  const panel = new StatBuilder()
    .title(title)
    .unit(unit)
    .datasource(datasource)
    .height(4)
    .span(4)
    .graphMode(BigValueGraphMode.Area)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(["lastNotNull"]))
    .colorMode(thresholds === undefined ? BigValueColorMode.None : BigValueColorMode.Value)
    .withTarget(target("A", [query, ""]));
  if (thresholds === undefined) return panel;
  const [yellow, red] = thresholds;
  const steps = [
    { value: null, color: "green" },
    ...(yellow < red ? [{ value: yellow, color: "yellow" }] : []),
    { value: red, color: "red" },
  ];
  return panel.thresholds(new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps));
}

function lines(title: string, unit: string, ...shown: readonly Line[]): TimeseriesBuilder {
  const panel = new TimeseriesBuilder()
    .title(title)
    .unit(unit)
    .min(0)
    .datasource(datasource)
    .height(8)
    .span(12)
    .fillOpacity(5)
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending));
  for (const [i, line] of shown.entries()) panel.withTarget(target("ABC"[i] as string, line));
  return panel;
}

function stacked(title: string, unit: string, ...shown: readonly Line[]): TimeseriesBuilder {
  return lines(title, unit, ...shown)
    .fillOpacity(40)
    .stacking(new StackingConfigBuilder().mode(StackingMode.Normal));
}

function target(refId: string, [query, legend]: Line): DataqueryBuilder {
  return new DataqueryBuilder().refId(refId).datasource(datasource).expr(queries[query]).legendFormat(legend).range();
}
