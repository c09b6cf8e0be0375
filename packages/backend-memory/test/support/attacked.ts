import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Bundle, bundle } from "@ratelimit/testbed/bundle";
import { afterAll, beforeAll } from "vitest";

/** Attacks a process of its own in one of the ways of attacks.ts, so many times, and waits until that has ended by itself. */
export type Attack = (how: string, count?: number) => Promise<Record<string, number>>;

/** From Node 24 on V8 sets aside three times as much for young objects, whoever makes them; here it is what it was before, 16 MB. */
const flags = ["--expose-gc", "--max-semi-space-size=16"];

/** Makes a program of attacks.ts before the tests of a file, and removes it after them. */
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
