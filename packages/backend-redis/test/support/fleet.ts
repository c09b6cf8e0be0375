import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { type Bundle, bundle } from "@ratelimit/testbed/bundle";
import { answerTo, startChild } from "./child.ts";
import { type Decision, Events } from "./load.ts";
import type { Record, RecorderJob } from "./recorder.ts";

/** Processes that keep making calls. */
export interface Fleet extends AsyncDisposable {
  readonly processes: readonly ChildProcess[];
  /** Lets each process end by itself and without an error, and collects what they saw. */
  stop(): Promise<{ decisions: readonly Decision[]; events: readonly Events[] }>;
}

let program: Promise<Bundle> | undefined;

/** Starts processes that each put their own load on the same limits. */
export async function startFleet(size: number, job: RecorderJob): Promise<Fleet> {
  program ??= bundle(join(import.meta.dirname, "recorder.ts"));
  const { path } = await program;
  const processes = Array.from({ length: size }, () => startChild(path));
  const dispose = async (): Promise<void> => {
    for (const child of processes) child.kill("SIGKILL");
  };
  try {
    await Promise.all(processes.map((child) => answerTo(child, job)));
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    processes,
    stop: async () => {
      const ends = Promise.all(processes.map(async (child) => (await once(child, "exit"))[0] as unknown));
      const records = (await Promise.all(processes.map((child) => answerTo(child, "stop")))) as Record[];
      const codes = await ends;
      if (codes.some((code) => code !== 0)) throw new Error(`Processes ended with ${codes.join(", ")}`);
      const events = records.map(({ events }) => Object.assign(new Events(), { all: events }));
      return { decisions: records.flatMap(({ decisions }) => decisions), events };
    },
    [Symbol.asyncDispose]: dispose,
  };
}
