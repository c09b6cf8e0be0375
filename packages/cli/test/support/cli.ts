import { spawn } from "node:child_process";
import { once } from "node:events";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { inject, onTestFinished } from "vitest";

/** How a run of the program ended. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: Iterable<string | Buffer> | AsyncIterable<string | Buffer>;
  /** Flags of node. */
  readonly flags?: readonly string[];
}

/** Runs the program as a user would, and waits for its end. It does not outlive the test. */
export async function cli(args: readonly string[], { env = {}, input = [], flags = [] }: RunOptions = {}): Promise<Ended> {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(RATELIMIT_|REDIS_|NODE_OPTIONS$|FORCE_COLOR$)/.test(name));
  const child = spawn(process.execPath, [...flags, inject("main"), ...args], {
    env: { ...Object.fromEntries(inherited), ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  // A program that ends early closes its input.
  const fed = pipeline(Readable.from(input), child.stdin).catch(() => {});
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close") as Promise<[number | null]>,
  ]);
  await fed;
  return { code, stdout, stderr };
}

/** Runs a command that must succeed, and parses the JSON that it prints. */
export async function json<T>(args: readonly string[], options?: RunOptions): Promise<T> {
  const { code, stdout, stderr } = await cli([...args, "--json"], options);
  if (code !== 0) throw new Error(`It ended with ${code}: ${stderr}`);
  return JSON.parse(stdout) as T;
}
