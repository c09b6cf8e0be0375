import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { unknownNames } from "./support/expressions.ts";
import { findPrometheus, promtool } from "./support/prometheus.ts";
import { startScraped } from "./support/scrape.ts";
import { causeEverything } from "./support/traffic.ts";

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<"summary" | "description" | "runbook_url", string>>;
}

const file = join(import.meta.dirname, "../prometheus/alerts.yml");
let rules: readonly Rule[] = [];

beforeAll(async () => {
  const { groups } = parse(await readFile(file, "utf8")) as { groups: { rules: Rule[] }[] };
  rules = groups.flatMap((group) => group.rules);
});

test("each alert names metrics and labels that a scrape has", async () => {
  await using scraped = await startScraped();
  await causeEverything();
  const samples = await scraped.samples();
  expect(rules.length).toBeGreaterThan(0);
  expect(rules.flatMap(({ expr }) => unknownNames(expr, samples))).toEqual([]);
  expect(unknownNames('rate(ratelimit_x_total{ratelimit_y="z"}[5m]) + {__name__=~"ratelimit_z(_s)?"}', samples)).toEqual([
    "ratelimit_x_total",
    "ratelimit_y",
    "ratelimit_z(_s)?",
  ]);
});

test("each alert says how urgent it is, and leads to its heading in docs/operating.md", async () => {
  const page = await readFile(join(import.meta.dirname, "../../../docs/operating.md"), "utf8");
  const headings = [...page.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) => heading);
  for (const { alert, labels, annotations } of rules) {
    expect(["page", "ticket"]).toContain(labels["severity"]);
    expect(annotations.runbook_url).toBe(`https://github.com/ratelimit/ratelimit/blob/main/docs/operating.md#${alert.toLowerCase()}`);
    expect(headings).toContain(alert);
  }
});

test("promtool accepts the rules, and each fires and stays silent when it should", { timeout: 240_000 }, async ({ skip }) => {
  const found = await findPrometheus();
  if ("missing" in found) {
    console.warn(`The alert rules are not checked with promtool: ${found.missing}`);
    return skip(found.missing);
  }
  expect(await promtool(found.program, "check", "rules", file)).toContain(`SUCCESS: ${rules.length} rules found`);
  const tests = join(import.meta.dirname, "support/alerts.test.yml");
  expect(await promtool(found.program, "test", "rules", tests)).toContain("SUCCESS");
  const tested = await readFile(tests, "utf8");
  for (const { alert } of rules) expect(tested).toContain(`alertname: ${alert}\n        exp_alerts:\n`);
});
