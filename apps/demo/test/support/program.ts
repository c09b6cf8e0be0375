import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { bundle } from "@ratelimit/testbed/bundle";
import { onTestFinished } from "vitest";

/** A program as one file of JavaScript, so that what runs is the sources and no older build of them. */
export interface Program extends AsyncDisposable {
  /** Starts it, with these variables and no others that begin with RATELIMIT_; it does not outlive the test. */
  start(args: readonly string[], env?: Record<string, string>): Running;
}

interface Running {
  readonly child: ChildProcess;
  /** What it wrote so far. */
  readonly output: { stdout: string; stderr: string };
  /** Resolves with all of stdout so far when it holds `text`; rejects when the process ends without it. */
  readonly wrote: (text: string) => Promise<string>;
  /** Its exit status, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
}

/** Makes a program of a file of this workspace. It lies where its imports are found. */
export async function program(path: string): Promise<Program> {
  const root = join(import.meta.dirname, "../..");
  const made = await bundle(join(root, path), { folder: join(root, "node_modules"), inside: [/^@ratelimit\//, "fastify-plugin"] });
  return {
    start: (args, env) => start([made.path, ...args], env),
    [Symbol.asyncDispose]: () => made[Symbol.asyncDispose](),
  };
}

function start(args: readonly string[], env: Record<string, string> = {}): Running {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(RATELIMIT_|REDIS_|PORT$|NODE_OPTIONS$)/.test(name));
  const child = spawn(process.execPath, args, { env: { ...Object.fromEntries(inherited), ...env }, stdio: ["ignore", "pipe", "pipe"] });
  const output = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const)
    child[stream].setEncoding("utf8").on("data", (text: string) => {
      output[stream] += text;
    });
  const ended = once(child, "close").then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals);
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  return { child, output, ended, wrote };

  async function wrote(text: string): Promise<string> {
    let isRunning = true;
    void ended.then(() => {
      isRunning = false;
    });
    while (!output.stdout.includes(text)) {
      if (!isRunning) throw new Error(`It ended without ${text}:\n${output.stdout}${output.stderr}`);
      await Promise.race([once(child.stdout, "data"), ended]);
    }
    return output.stdout;
  }
}
