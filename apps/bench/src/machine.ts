import { spawnSync } from "node:child_process";
import { cpus, loadavg, release } from "node:os";

/** The machine of a run, and its load at the start. */
export interface Machine {
  readonly date: string;
  readonly node: string;
  readonly cpu: string;
  readonly cores: number;
  readonly system: string;
  readonly load: string;
  readonly pinned: boolean;
}

export function machine(): Machine {
  const processors = cpus();
  return {
    date: new Date().toISOString().slice(0, 16).replace("T", " "),
    node: process.version,
    cpu: processors[0]?.model.trim() ?? "unknown",
    cores: processors.length,
    system: `${process.platform} ${release()}`,
    load: loadavg()
      .map((load) => load.toFixed(1))
      .join(" / "),
    pinned: canPin(),
  };
}

/** One core for the measured process, the other for its clients and servers. */
export const cores = { measured: 0, other: 1 } as const;

let pins: boolean | undefined;

/** Whether processes can be pinned to a core: it takes `taskset` and two cores. */
export function canPin(): boolean {
  pins ??= cpus().length > 1 && spawnSync("taskset", ["-V"]).status === 0;
  return pins;
}

/** Pins a running process, with all its threads, to a core. */
export function pin(pid: number, core: number): void {
  if (canPin()) spawnSync("taskset", ["-a", "-c", "-p", String(core), String(pid)]);
}
