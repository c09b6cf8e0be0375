import { mkdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Bench, Outcome } from "./bench.ts";
import { type Machine, machine } from "./machine.ts";
import { outcomeMarkdown } from "./markdown.ts";

/** A run as it is kept. */
export interface Run {
  readonly name: string;
  readonly title: string;
  readonly about: string;
  readonly quick: boolean;
  readonly machine: Machine;
  readonly seconds: number;
  readonly outcome: Outcome;
}

const folder = fileURLToPath(new URL("../results/", import.meta.url));

/** Runs a bench, keeps what came of it as JSON and as Markdown, and says whether its goals were met; 1 if one was not. */
export async function conclude(name: string, bench: Bench, quick: boolean): Promise<number> {
  const before = machine();
  const start = performance.now();
  const outcome = await bench.run(quick);
  const seconds = Math.round((performance.now() - start) / 1000);
  const { title, about } = bench;
  const kept: Run = { name, title, about, quick, machine: before, seconds, outcome };
  const text = outcomeMarkdown(kept);
  await mkdir(folder, { recursive: true });
  await writeFile(`${folder}${name}${quick ? ".quick" : ""}.json`, `${JSON.stringify(kept, null, 2)}\n`);
  await writeFile(`${folder}${name}${quick ? ".quick" : ""}.md`, text);
  console.log(text);
  console.log(verdict(outcome));
  return outcome.goals.every(({ met }) => met) ? 0 : 1;
}

/** The full run of a bench, if there was one. */
export async function fullRun(name: string): Promise<Run | undefined> {
  try {
    return JSON.parse(await readFile(`${folder}${name}.json`, "utf8")) as Run;
  } catch {
    return undefined;
  }
}

/** The last line of a run. */
export function verdict({ goals }: Outcome): string {
  const missed = goals.filter(({ met }) => !met);
  if (missed.length === 0) return `${goals.length} of ${goals.length} goals met`;
  const which = missed.map(({ what, target, got }) => `${what} ${got} (${target})`);
  return `${goals.length - missed.length} of ${goals.length} goals met; short of: ${which.join("; ")}`;
}
