import { startStandalone } from "@ratelimit/testbed";
import type { HttpRule } from "../http/limiters.ts";
import type { Framework } from "../http/servers.ts";
import { tableMarkdown } from "../markdown.ts";
import { Worker } from "../worker.ts";
import type { Called } from "./sources.ts";
import type { Setup } from "./station.ts";

/** The requests that are traced, and the most source files that each should cross. */
const paths: readonly { readonly name: string; readonly framework: Framework; readonly onRedis: boolean; readonly goal: number }[] = [
  { name: "Express, in process", framework: "express", onRedis: false, goal: 15 },
  { name: "Koa, on Redis", framework: "koa", onRedis: true, goal: 22 },
];

/**
 * Prints how many of our source files and functions one warm admitted GET crosses; with `list`, also their names.
 *
 * This does not measure speed, but how much a newcomer has to read to follow a request.
 */
export async function printPaths(list: boolean): Promise<void> {
  await using server = await startStandalone();
  const rows: string[][] = [];
  for (const { name, framework, onRedis, goal } of paths) {
    const called = await functionsOf(framework, onRedis ? server.server.address : undefined);
    const files = [...new Set(called.map(({ file }) => file))];
    rows.push([name, String(files.length), String(called.length), `at most ${goal} files`]);
    if (list) console.log([`## ${name}`, ...files.map((file) => `${file}\n${functionsIn(file, called)}`), ""].join("\n"));
  }
  console.log(tableMarkdown({ title: "", columns: ["one warm admitted GET", "files", "functions", "goal"], rows }));
}

async function functionsOf(framework: Framework, redis: HttpRule["redis"]): Promise<Called[]> {
  const setup: Setup = { framework, ...(redis && { redis }) };
  await using worker = await Worker.start("path", setup);
  return (await worker.ask("oneRequest")) as Called[];
}

function functionsIn(file: string, called: readonly Called[]): string {
  const lines = called
    .filter((call) => call.file === file)
    .map(({ line, name, calls }) => `  ${line} ${name}${calls === 1 ? "" : ` × ${calls}`}`);
  return lines.join("\n");
}
