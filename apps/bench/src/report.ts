import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Goal } from "./bench.ts";
import { outcomeMarkdown, tableMarkdown } from "./markdown.ts";
import { fullRun, type Run } from "./results.ts";

const document = fileURLToPath(new URL("../../../docs/performance.md", import.meta.url));

/** The benches that print their table on another page, next to the claim it proves. Two marks on that page show where. */
const pages: Readonly<Record<string, string>> = {
  outage: fileURLToPath(new URL("../../../docs/reliability.md", import.meta.url)),
  otel: fileURLToPath(new URL("../../../docs/operating.md", import.meta.url)),
  leases: fileURLToPath(new URL("../../../docs/leases.md", import.meta.url)),
  soak: fileURLToPath(new URL("../../../docs/reliability.md", import.meta.url)),
  scale: fileURLToPath(new URL("../../../docs/scaling.md", import.meta.url)),
};

const preface = `# Performance

How fast @ratelimit is and what it costs, next to widely used limiters. Missed goals are listed too, and [why they stay missed](decisions/speed-goals.md).

The absolute figures come from one shared virtual machine and vary with the load of its neighbors, so **read the ratios**. Limiters take turns (A B C, B C A, …),
each in its own process. A ratio is computed for each round, and the table shows the median; the brackets show how far the lowest and highest rounds are from it.
Before a limiter is measured, it must prove that it admits exactly 5 of 8 calls under a limit of 5.
Some tables are on the page of what they prove: [outages and a soak](reliability.md), [leases](leases.md), [scaling](scaling.md), and [what listening costs](operating.md). Run it yourself:

\`\`\`sh
npx --yes pnpm@12.4.2 bench memory    # or parts, footprint, redis, scripts, http, import, outage, layouts, otel, leases, soak, scale; add --quick while you work on it
npx --yes pnpm@12.4.2 bench report    # writes this page, and the tables on docs/reliability.md, docs/operating.md, docs/leases.md and docs/scaling.md, from the full runs
\`\`\`
`;

/**
 * Writes docs/performance.md, and the sections on other pages, from the saved full runs. If `only` names benches, it writes only their
 * sections and goals, and keeps the rest.
 * @throws {Error} if one of `only` has no full run.
 */
export async function report(names: readonly string[], only: readonly string[] = []): Promise<void> {
  const wanted = only.length > 0 ? only : names;
  const runs = (await Promise.all(wanted.map(fullRun))).filter((run) => run !== undefined);
  const lacking = only.filter((name) => !runs.some((run) => run.name === name));
  if (lacking.length > 0) throw new Error(`No full run: ${lacking.join(", ")}`);
  const text = only.length > 0 ? runs.reduce(withRun, await readFile(document, "utf8")) : reportMarkdown(runs);
  await writeFile(document, text);
  for (const run of runs) {
    const page = pages[run.name];
    if (page !== undefined) await writeFile(page, withSection(await readFile(page, "utf8"), run));
  }
  console.log(`${runs.length} of ${wanted.length} benches are written to docs/performance.md; missing: ${missing(wanted, runs)}`);
}

export function reportMarkdown(runs: readonly Run[]): string {
  const here = runs.filter(({ name }) => pages[name] === undefined);
  return [preface, "## Goals\n", `${summary(runs)}\n`, ...here.map(outcomeMarkdown)].join("\n");
}

/** Replaces the section between the marks of a page with the one for this run. */
export function withSection(page: string, run: Run): string {
  const [before, old, after] = page.split(new RegExp(`(?<=<!-- bench ${run.name} -->\n)(.*?)(?=<!-- end of bench -->)`, "s"));
  if (before === undefined || old === undefined || after === undefined) throw new Error(`The page has no marks for the bench ${run.name}`);
  return `${before}${outcomeMarkdown(run)}${after}`;
}

/** Replaces what docs/performance.md says of a run: its goals, and its section unless that is on another page. */
export function withRun(page: string, run: Run): string {
  const sections = withGoals(page, run)
    .split(/^(?=## )/m)
    .map((section) => section.trimEnd());
  const at = sections.findIndex((section) => section.startsWith(`## ${run.title}\n`));
  if (pages[run.name] === undefined) sections.splice(at < 0 ? sections.length : at, at < 0 ? 0 : 1, outcomeMarkdown(run).trimEnd());
  return `${sections.join("\n\n")}\n`;
}

/** Replaces the goals of a run, or adds them at the end of their table. */
function withGoals(page: string, run: Run): string {
  const [table = ""] = /(?<=^## Goals\n\n)(?:\|.*\n)+/m.exec(page) ?? [];
  const others = table.split("\n").filter((line) => !line.startsWith(`| ${run.title} |`));
  const own = summary([run]).split("\n").slice(2);
  return page.replace(table, () => [...others.slice(0, -1), ...own, ""].join("\n"));
}

function summary(runs: readonly Run[]): string {
  const row = (run: Run, { what, target, got, met }: Goal): string[] => [run.title, what, target, got, met ? "met" : "**missed**"];
  const rows = runs.flatMap((run) => run.outcome.goals.map((goal) => row(run, goal)));
  return tableMarkdown({ title: "Goals", columns: ["table", "what", "goal", "got", ""], rows });
}

function missing(names: readonly string[], runs: readonly Run[]): string {
  return names.filter((name) => !runs.some((run) => run.name === name)).join(", ") || "none";
}
