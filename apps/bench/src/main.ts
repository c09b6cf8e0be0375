import { parseArgs } from "node:util";
import type { Bench, Settings } from "./bench.ts";
import { type Station, serve } from "./worker.ts";

const benches: Readonly<Record<string, () => Promise<{ bench: Bench }>>> = {
  memory: () => import("./memory/bench.ts"),
  parts: () => import("./parts/bench.ts"),
  footprint: () => import("./footprint/bench.ts"),
  redis: () => import("./redis/bench.ts"),
  scripts: () => import("./redis/scripts.ts"),
  http: () => import("./http/bench.ts"),
  import: () => import("./import/bench.ts"),
  outage: () => import("./outage/bench.ts"),
  layouts: () => import("./layouts/bench.ts"),
  otel: () => import("./otel/bench.ts"),
  leases: () => import("./leases/bench.ts"),
  soak: () => import("./soak/bench.ts"),
  scale: () => import("./scale/bench.ts"),
};

/** The programs of worker processes. */
const stations: Readonly<Record<string, () => Promise<Station>>> = {
  memory: () => import("./memory/station.ts"),
  parts: () => import("./parts/station.ts"),
  footprint: () => import("./footprint/station.ts"),
  redis: () => import("./redis/station.ts"),
  http: () => import("./http/station.ts"),
  load: () => import("./http/load.ts"),
  outage: () => import("./outage/station.ts"),
  layouts: () => import("./layouts/station.ts"),
  otel: () => import("./otel/station.ts"),
  leases: () => import("./leases/station.ts"),
  soak: () => import("./soak/station.ts"),
  "soak-traffic": () => import("./soak/traffic.ts"),
  path: () => import("./path/station.ts"),
  scale: () => import("./scale/station.ts"),
};

const [command = "", ...rest] = process.argv.slice(2);
if (command === "worker") await startWorker(rest);
else if (command === "path") await (await import("./path/command.ts")).printPaths(rest.includes("--list"));
else if (command === "report") await (await import("./report.ts")).report(Object.keys(benches), rest);
else await runBench(command, rest);

async function startWorker([kind = "", setup = ""]: readonly string[]): Promise<void> {
  const station = stations[kind];
  if (station === undefined) throw new Error(`There is no worker ${kind}`);
  await serve(await station(), setup);
}

async function runBench(name: string, args: string[]): Promise<void> {
  const load = benches[name];
  if (load === undefined) {
    console.error(`bench ${Object.keys(benches).join("|")}|report [--quick], bench soak [--minutes N] [--seed N], or bench path [--list]`);
    process.exitCode = 2;
    return;
  }
  const { quick, ...settings } = settingsOf(args);
  const { conclude } = await import("./results.ts");
  process.exitCode = await conclude(name, (await load()).bench, quick, settings);
}

function settingsOf(args: string[]): Settings & { quick: boolean } {
  const options = { quick: { type: "boolean", default: false }, minutes: { type: "string" }, seed: { type: "string" } } as const;
  const { quick, minutes, seed } = parseArgs({ args, options }).values;
  return { quick, ...(minutes !== undefined && { minutes: positive(minutes) }), ...(seed !== undefined && { seed: positive(seed) }) };
}

function positive(value: string): number {
  if (Number(value) > 0) return Number(value);
  throw new Error(`Expected a number above 0, got ${value}`);
}
