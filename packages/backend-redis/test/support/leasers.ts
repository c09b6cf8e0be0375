import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { type Bundle, bundle } from "@ratelimit/testbed/bundle";
import { startChild } from "./child.ts";
import type { Admitted, LeaserJob, LeaserReport } from "./leaser.ts";

/** Processes that share one leased limit. */
export interface Leasers extends AsyncDisposable {
  readonly processes: readonly ChildProcess[];
  /** The calls of each process that were admitted so far. */
  readonly admitted: readonly (readonly Admitted[])[];
  /** How many decisions of all processes came from each source so far. */
  readonly sources: ReadonlyMap<LeaserReport["sources"][number], number>;
  /** Lets each process that still runs end by itself and without an error, and returns the admitted calls of all. */
  stop(): Promise<readonly Admitted[]>;
}

/** Bundles the program that the processes run. */
export function bundleLeaser(): Promise<Bundle> {
  return bundle(join(import.meta.dirname, "leaser.ts"));
}

/** Starts processes that make calls on one key, and resolves when each has a decision. */
export async function startLeasers({ path }: Bundle, size: number, job: LeaserJob): Promise<Leasers> {
  const processes = Array.from({ length: size }, () => startChild(path));
  const admitted = processes.map((): Admitted[] => []);
  const sources = new Map<LeaserReport["sources"][number], number>();
  for (const [i, child] of processes.entries()) {
    child.on("message", (report: LeaserReport) => {
      admitted[i]?.push(...report.admitted);
      for (const source of report.sources) sources.set(source, (sources.get(source) ?? 0) + 1);
    });
    child.send(job);
  }
  const dispose = async (): Promise<void> => {
    for (const child of processes) child.kill("SIGKILL");
  };
  try {
    await Promise.all(processes.map((child) => once(child, "message", { signal: AbortSignal.timeout(15_000) })));
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    processes,
    admitted,
    sources,
    stop: async () => {
      const running = processes.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null);
      // The channel delivers all messages before it closes.
      const ends = running.map((child) => Promise.all([once(child, "exit"), once(child, "disconnect")]));
      for (const child of running) child.send("stop");
      const codes = (await Promise.all(ends)).map(([[code]]) => code as number | null);
      if (codes.some((code) => code !== 0)) throw new Error(`Processes ended with ${codes.join(", ")}`);
      return admitted.flat();
    },
    [Symbol.asyncDispose]: dispose,
  };
}

/** The part of all decisions that was made from leases. */
export function leasedPart({ sources }: Leasers): number {
  return (sources.get("lease") ?? 0) / [...sources.values()].reduce((sum, count) => sum + count, 0);
}
