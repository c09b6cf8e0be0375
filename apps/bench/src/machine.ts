import { spawnSync } from "node:child_process";
import { cpus, loadavg, release } from "node:os";

/** What figures were measured on. */
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

/** Where the measured process runs, and where whatever keeps it busy does. */
export const cores = { measured: 0, other: 1 } as const;

let pins: boolean | undefined;

/** Whether processes can be told their core: by taskset, where there are two. */
export function canPin(): boolean {
  pins ??= cpus().length > 1 && spawnSync("taskset", ["-V"]).status === 0;
  return pins;
}

/** Moves a process that runs, with all its threads. */
export function pin(pid: number, core: number): void {
  if (canPin()) spawnSync("taskset", ["-a", "-c", "-p", String(core), String(pid)]);
}
