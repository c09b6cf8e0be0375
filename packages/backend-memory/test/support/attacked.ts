import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Bundle, bundle } from "@ratelimit/testbed/bundle";
import { afterAll, beforeAll } from "vitest";

/** Runs one of the attacks of attacks.ts in its own process, with `count` keys, and returns what it printed once it has ended. */
export type Attack = (how: string, count?: number) => Promise<Record<string, number>>;

/** Since Node 24, V8 reserves three times as much memory for young objects. This sets it back to 16 MB, so that figures compare. */
const flags = ["--expose-gc", "--max-semi-space-size=16"];

/** Bundles attacks.ts before the tests of a file, and removes the bundle after them. */
export function attacking(): Attack {
  let program: Bundle;
  beforeAll(async () => {
    program = await bundle(join(import.meta.dirname, "attacks.ts"));
  }, 60_000);
  afterAll(() => program[Symbol.asyncDispose]());
  return async (how, count = 0) => {
    const args = [...flags, program.path, how, String(count)];
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 300_000 });
    process.stdout.write(`${how}: ${stdout}`);
    return JSON.parse(stdout) as Record<string, number>;
  };
}
