import type { Bench } from "./bench.ts";
import { type Station, serve } from "./worker.ts";

const benches: Readonly<Record<string, () => Promise<{ bench: Bench }>>> = {
  memory: () => import("./memory/bench.ts"),
  footprint: () => import("./footprint/bench.ts"),
  redis: () => import("./redis/bench.ts"),
  scripts: () => import("./redis/scripts.ts"),
  http: () => import("./http/bench.ts"),
  import: () => import("./import/bench.ts"),
  outage: () => import("./outage/bench.ts"),
  layouts: () => import("./layouts/bench.ts"),
};

/** What runs in a process of its own. */
const stations: Readonly<Record<string, () => Promise<Station>>> = {
  memory: () => import("./memory/station.ts"),
  footprint: () => import("./footprint/station.ts"),
  redis: () => import("./redis/station.ts"),
  http: () => import("./http/station.ts"),
  load: () => import("./http/load.ts"),
  outage: () => import("./outage/station.ts"),
  layouts: () => import("./layouts/station.ts"),
  path: () => import("./path/station.ts"),
};

const [command = "", ...rest] = process.argv.slice(2);
if (command === "worker") await startWorker(rest);
else if (command === "path") await (await import("./path/command.ts")).printPaths(rest.includes("--list"));
else if (command === "report") await (await import("./report.ts")).report(Object.keys(benches));
else await runBench(command, rest.includes("--quick"));

async function startWorker([kind = "", setup = ""]: readonly string[]): Promise<void> {
  const station = stations[kind];
  if (station === undefined) throw new Error(`There is no worker ${kind}`);
  await serve(await station(), setup);
}

async function runBench(name: string, quick: boolean): Promise<void> {
  const load = benches[name];
  if (load === undefined) {
    console.error(`bench ${Object.keys(benches).join("|")}|report [--quick], or bench path [--list]`);
    process.exitCode = 2;
    return;
  }
  const { conclude } = await import("./results.ts");
  process.exitCode = await conclude(name, (await load()).bench, quick);
}
