import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { bundle } from "@ratelimit/testbed/bundle";

/** How a program ended. */
export interface Ended {
  readonly output: string;
  readonly seconds: number;
}

/** Runs a program from the folder `programs` in its own process. */
export async function run(program: string, ...flags: string[]): Promise<Ended> {
  await using made = await bundle(join(import.meta.dirname, "../programs", program));
  const start = performance.now();
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, made.path], { timeout: 10_000 });
  return { output: stdout, seconds: (performance.now() - start) / 1000 };
}
