import { join } from "node:path";
import type { Panel } from "@grafana/grafana-foundation-sdk/dashboard";
import { expect, test, vi } from "vitest";
import { buildDashboard } from "../grafana/dashboard.ts";
import { queries } from "../grafana/queries.ts";
import { unknownNames } from "./support/expressions.ts";
import { findPrometheus, startPrometheus } from "./support/prometheus.ts";
import { startScraped } from "./support/scrape.ts";
import { causeEverything } from "./support/traffic.ts";

const dashboard = buildDashboard();
const panels = (dashboard.panels ?? []).filter((panel): panel is Panel => "targets" in panel);

test("ratelimit.json is what dashboard.ts builds (write it anew with `vitest -u`)", async () => {
  await expect(`${JSON.stringify(dashboard, null, 2)}\n`).toMatchFileSnapshot(join(import.meta.dirname, "../grafana/ratelimit.json"));
});

test("panels do not overlap, and each has a title, a unit and the chosen data source", () => {
  expect(panels.length).toBeGreaterThan(10);
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } = { x: 0, y: 0, w: 0, h: 0 } }) =>
    Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
  for (const { title, datasource, fieldConfig } of panels) {
    expect(title).toBeTruthy();
    expect(fieldConfig?.defaults.unit).toBeTruthy();
    expect(datasource).toEqual({ type: "prometheus", uid: "$datasource" });
  }
});

test("every query is shown, and asks for metrics and labels that a scrape has", async () => {
  await using scraped = await startScraped();
  await causeEverything();
  const samples = await scraped.samples();
  const shown = panels.flatMap(({ targets = [] }) => targets.map((target) => (target as { expr?: string }).expr));
  expect(new Set(shown)).toEqual(new Set(Object.values(queries)));
  const asked = [...shown, ...(dashboard.templating.list ?? []).map(({ query }) => (typeof query === "string" ? query : ""))];
  expect(asked.flatMap((query = "") => unknownNames(query, samples))).toEqual([]);
});

test("a real Prometheus that scrapes us answers every query with data", { timeout: 240_000 }, async ({ skip }) => {
  const found = await findPrometheus();
  if ("missing" in found) {
    console.warn(`The dashboard's queries are not sent to a Prometheus: ${found.missing}`);
    return skip(found.missing);
  }
  await using scraped = await startScraped();
  await causeEverything();
  await using prometheus = await startPrometheus(found.program, scraped.address, join(import.meta.dirname, "../prometheus/alerts.yml"));
  await vi.waitFor(async () => expect(await prometheus.query("ratelimit_decisions_total")).not.toEqual([]), 20_000);
  await causeEverything();
  const sent = (query: string): string => query.replaceAll("$job", ".*").replaceAll("$limiter", ".*").replaceAll("$__rate_interval", "1m");
  for (const [name, query] of Object.entries(queries))
    await vi.waitFor(async () => expect((await prometheus.query(sent(query))).filter(Number.isFinite), name).not.toEqual([]), 20_000);
  expect(await prometheus.query(sent(queries.openBreakers))).toEqual([0]);
  const rules = await vi.waitFor(async () => {
    const rules = await prometheus.rules();
    expect(rules.map(({ health }) => health)).not.toContain("unknown");
    return rules;
  }, 20_000);
  expect(rules.filter(({ health }) => health !== "ok")).toEqual([]);
});
