import { mkdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Bench, Outcome, Settings } from "./bench.ts";
import { type Machine, machine } from "./machine.ts";
import { outcomeMarkdown } from "./markdown.ts";

/** A run, in the form in which it is saved. */
export interface Run {
  readonly name: string;
  readonly title: string;
  readonly about: string;
  readonly quick: boolean;
  readonly machine: Machine;
  readonly seconds: number;
  readonly outcome: Outcome;
}

/** Where results are saved. */
export const folder: string = fileURLToPath(new URL("../results/", import.meta.url));

/** Runs a bench, saves and prints its results, and returns the exit code: 1 if a goal was missed. */
export async function conclude(name: string, bench: Bench, quick: boolean, settings: Settings = {}): Promise<number> {
  const before = machine();
  const start = performance.now();
  const outcome = await bench.run(quick, settings);
  const seconds = Math.round((performance.now() - start) / 1000);
  const { title, about } = bench;
  const kept: Run = { name, title, about, quick, machine: before, seconds, outcome };
  const text = outcomeMarkdown(kept);
  const suffix = quick ? ".quick" : settings.minutes === undefined ? "" : `.${settings.minutes}min`;
  await mkdir(folder, { recursive: true });
  await writeFile(`${folder}${name}${suffix}.json`, `${JSON.stringify(kept, null, 2)}\n`);
  await writeFile(`${folder}${name}${suffix}.md`, text);
  console.log(text);
  console.log(verdict(outcome));
  return outcome.goals.every(({ met }) => met) ? 0 : 1;
}

/** Returns the saved full run of a bench, if there is one. */
export async function fullRun(name: string): Promise<Run | undefined> {
  try {
    return JSON.parse(await readFile(`${folder}${name}.json`, "utf8")) as Run;
  } catch {
    return undefined;
  }
}

/** The last line that a run prints. */
export function verdict({ goals }: Outcome): string {
  const missed = goals.filter(({ met }) => !met);
  if (missed.length === 0) return `${goals.length} of ${goals.length} goals met`;
  const which = missed.map(({ what, target, got }) => `${what} ${got} (${target})`);
  return `${goals.length - missed.length} of ${goals.length} goals met; missed: ${which.join("; ")}`;
}
