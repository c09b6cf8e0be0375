import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { bundle } from "@ratelimit/testbed/bundle";
import { onTestFinished } from "vitest";

/** A program bundled from the sources into one JavaScript file, so that no outdated build is tested. */
export interface Program extends AsyncDisposable {
  /** The folder of its file. */
  readonly folder: string;
  /** Starts it with these variables and none of the demo's own from this process. It does not outlive the test. */
  start(args: readonly string[], env?: Record<string, string>): Running;
}

interface Running {
  readonly child: ChildProcess;
  /** Its output so far. */
  readonly output: { stdout: string; stderr: string };
  /** Resolves with all of stdout so far once it contains `expected`. Rejects if the process ends before. */
  readonly wrote: (expected: string) => Promise<string>;
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
}

/** Bundles a file of this workspace into a program, in a folder from which its imports resolve. */
export async function program(path: string): Promise<Program> {
  const root = join(import.meta.dirname, "../..");
  const made = await bundle(join(root, path), { folder: join(root, "node_modules"), inside: [/^@ratelimit\//, "fastify-plugin"] });
  return {
    folder: dirname(made.path),
    start: (args, env) => start([made.path, ...args], env),
    [Symbol.asyncDispose]: () => made[Symbol.asyncDispose](),
  };
}

function start(args: readonly string[], env: Record<string, string> = {}): Running {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(RATELIMIT_|REDIS_|PORT$|NODE_OPTIONS$)/.test(name));
  const child = spawn(process.execPath, args, { env: { ...Object.fromEntries(inherited), ...env }, stdio: ["ignore", "pipe", "pipe"] });
  const output = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const)
    child[stream].setEncoding("utf8").on("data", (chunk: string) => {
      output[stream] += chunk;
    });
  const ended = once(child, "close").then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals);
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  return { child, output, ended, wrote };

  async function wrote(expected: string): Promise<string> {
    let isRunning = true;
    void ended.then(() => {
      isRunning = false;
    });
    while (!output.stdout.includes(expected)) {
      if (!isRunning) throw new Error(`It ended without ${expected}:\n${output.stdout}${output.stderr}`);
      await Promise.race([once(child.stdout, "data"), ended]);
    }
    return output.stdout;
  }
}
