import type { createColors } from "picocolors";
import { noRequests, notes } from "./notes.ts";
import type { PolicyReport, Report } from "./report.ts";
import { table } from "./table.ts";
import { count, counted, limitWords, printable, share, shortened, span, sparkline, time } from "./wording.ts";

/** How to print: the colors that the terminal has, and its width. */
export interface Terminal {
  readonly colors: ReturnType<typeof createColors>;
  readonly width: number;
}

/** The report of `replay` for a terminal. */
export function terminalReport(report: Report, terminal: Terminal): string {
  const { policies } = report;
  const parts = [heading(report, terminal), ...(policies.length > 1 ? [comparison(report)] : [])];
  for (const policy of policies) parts.push(policyPart(policy, report, terminal));
  parts.push([notes(report.lines, report.key, terminal), evicted(report)].filter((part) => part !== "").join("\n"));
  return `${parts.filter((part) => part !== "").join("\n\n")}\n`;
}

function heading({ requests, clients, from, to, timeline, policies, lines }: Report, { colors, width }: Terminal): string {
  if (from === null || to === null) return noRequests(lines);
  const line = `${counted(requests, "request")} from ${counted(clients, "client")}, ${time(from)} to ${time(to)} UTC`;
  const chart = sparkline(timeline.requests, Math.min(width - 12, 80));
  return [colors.bold(line), policies.length > 0 ? `requests    ${chart}` : ""].filter((part) => part !== "").join("\n");
}

function comparison({ policies, requests, clients }: Report): string {
  const head = ["policy", "refused", "of requests", "clients", "of clients", "worst minute"];
  const rows = policies.map(({ policy, refused, refusedClients, worstMinute }) => [
    policy,
    count(refused),
    share(refused, requests),
    count(refusedClients),
    share(refusedClients, clients),
    worstMinute === null ? "-" : count(worstMinute.refused),
  ]);
  return table(head, rows);
}

function policyPart(policy: PolicyReport, report: Report, { colors, width }: Terminal): string {
  const { refused, refusedClients, worstMinute, topKeys, refusedOverTime, blockSeconds } = policy;
  const title = `${colors.bold(policy.policy)}  ${policy.limits.map(limitWords).join(", and ")}${blockSeconds > 0 ? `, then a block of ${span(blockSeconds)}` : ""}`;
  if (report.requests === 0) return title;
  if (refused === 0) return `${title}\n${colors.green("No request would have been refused.")}`;
  const total = `${counted(refused, "request")} (${share(refused, report.requests)}) from ${counted(refusedClients, "client")} (${share(refusedClients, report.clients)}) would have been refused.`;
  const worst =
    worstMinute === null
      ? ""
      : `Worst minute: ${time(worstMinute.start)} UTC, ${count(worstMinute.refused)} of ${counted(worstMinute.requests, "request")} refused, from ${counted(worstMinute.clients, "client")}.`;
  const chart = `refused     ${colors.red(sparkline(refusedOverTime, Math.min(width - 12, 80)))}`;
  const keyWidth = Math.max(16, width - 72);
  const top = table(
    ["most refused", "refused", "of its requests", "first refused", "last refused"],
    topKeys.map(({ key, requests, refused, firstRefused, lastRefused }) => [
      shortened(printable(key), keyWidth),
      count(refused),
      share(refused, requests),
      time(firstRefused),
      time(lastRefused),
    ]),
  );
  return [title, colors.yellow(total), worst, chart, topKeys.length > 0 ? `\n${top}` : ""].filter((part) => part !== "").join("\n");
}

function evicted({ evictions }: Report): string {
  return evictions === 0
    ? ""
    : `${counted(evictions, "bucket")} did not fit into memory, so more requests would have been refused than shown.`;
}
