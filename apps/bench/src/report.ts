import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Goal } from "./bench.ts";
import { outcomeMarkdown, tableMarkdown } from "./markdown.ts";
import { fullRun, type Run } from "./results.ts";

const document = fileURLToPath(new URL("../../../docs/performance.md", import.meta.url));

/** Where the tables of a run are to stand beside what they are the proof of, between two marks. */
const pages: Readonly<Record<string, string>> = { outage: fileURLToPath(new URL("../../../docs/reliability.md", import.meta.url)) };

const preface = `# Performance

How fast @ratelimit is, what it costs, and how it stands beside the limiters that people use; what fell short of its goal is told too, and [why](decisions/speed-goals.md).

Absolute figures are those of one shared virtual machine and swing with its neighbours. **Read the ratios**: subjects take turns (A B C, B C A, …),
each in a process of its own, ratios are taken round by round, and the median counts; in brackets is how far the lowest and highest round lie from it.
Before it is measured, each limiter proves that of 8 calls under a limit of 5 it admits exactly 5. Run it yourself:

\`\`\`sh
npx --yes pnpm@12.4.2 bench memory    # or footprint, redis, scripts, http, import, outage, layouts; --quick while you work on it
npx --yes pnpm@12.4.2 bench report    # writes this page from the full runs, and the tables of outages in docs/reliability.md
\`\`\`
`;

/** Writes docs/performance.md, and what has its place elsewhere, from the full runs that are there. */
export async function report(names: readonly string[]): Promise<void> {
  const runs = (await Promise.all(names.map(fullRun))).filter((run) => run !== undefined);
  await writeFile(document, reportMarkdown(runs));
  for (const run of runs) {
    const page = pages[run.name];
    if (page !== undefined) await writeFile(page, withSection(await readFile(page, "utf8"), run));
  }
  console.log(`${runs.length} of ${names.length} benches are in docs/performance.md; missing: ${missing(names, runs)}`);
}

export function reportMarkdown(runs: readonly Run[]): string {
  const here = runs.filter(({ name }) => pages[name] === undefined);
  return [preface, "## Goals\n", `${summary(runs)}\n`, ...here.map(outcomeMarkdown)].join("\n");
}

/** A page with the section of a run in place of the one before. */
export function withSection(page: string, run: Run): string {
  const [before, old, after] = page.split(new RegExp(`(?<=<!-- bench ${run.name} -->\n)(.*?)(?=<!-- end of bench -->)`, "s"));
  if (before === undefined || old === undefined || after === undefined) throw new Error(`No place for the bench ${run.name} in its page`);
  return `${before}${outcomeMarkdown(run)}${after}`;
}

function summary(runs: readonly Run[]): string {
  const row = (run: Run, { what, target, got, met }: Goal): string[] => [run.title, what, target, got, met ? "met" : "**missed**"];
  const rows = runs.flatMap((run) => run.outcome.goals.map((goal) => row(run, goal)));
  return tableMarkdown({ title: "Goals", columns: ["table", "what", "goal", "got", ""], rows });
}

function missing(names: readonly string[], runs: readonly Run[]): string {
  return names.filter((name) => !runs.some((run) => run.name === name)).join(", ") || "none";
}
