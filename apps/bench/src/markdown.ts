import type { Goal, Outcome, Table } from "./bench.ts";
import type { Run } from "./results.ts";

/** Formats a run as a section of a page. */
export function outcomeMarkdown({ title, about, quick, machine, seconds, outcome }: Run): string {
  const { date, node, cpu, cores, load, pinned } = machine;
  const on = `${date} UTC, Node ${node.slice(1)}, ${cores} × ${cpu}, load at the start ${load}${isBusy(load) ? ": **other work ran on the machine**" : ""}${pinned ? "" : ", nothing pinned to a core"}; ${seconds} s${quick ? "; **a quick run, ignore its figures**" : ""}`;
  return [`## ${title}`, "", about, "", ...(outcome.notes ?? []).flatMap((note) => [note, ""]), `Run: ${on}.`, "", body(outcome)].join(
    "\n",
  );
}

function body({ tables, goals }: Outcome): string {
  const parts = tables.map(({ title, columns, rows }) => `### ${title}\n\n${tableMarkdown({ title, columns, rows })}\n`);
  return [...parts, ...(goals.length > 0 ? [`### Goals\n\n${goalsMarkdown(goals)}\n`] : [])].join("\n");
}

export function tableMarkdown({ columns, rows }: Table): string {
  const line = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(columns), `|${columns.map((_, i) => (i === 0 ? "---|" : "---:|")).join("")}`, ...rows.map(line)].join("\n");
}

function goalsMarkdown(goals: readonly Goal[]): string {
  return tableMarkdown({
    title: "Goals",
    columns: ["what", "goal", "got", ""],
    rows: goals.map(({ what, target, got, met }) => [what, target, got, met ? "met" : "**missed**"]),
  });
}

/** Whether other work was running: it competes with the bench and distorts the figures. */
function isBusy(load: string): boolean {
  return Number.parseFloat(load) >= 1.5;
}
