import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";
import { finished } from "node:stream/promises";
import { hold } from "./lifeline.ts";

// This shell becomes the program (exec keeps the pid), but first it starts a detached guard that waits on fd 3. If fd 3 closes
// without a line, this process is gone (even by SIGKILL), and the guard kills the program. A line means that the program has
// ended, and the guard must not kill a pid that may be reused by now.
const GUARD = `
({ read -r _ <&3 || kill -9 $$; } </dev/null >/dev/null 2>&1 &)
exec "$@" 3<&-
`;

const running = new Set<OwnedProcess>();

/** A child process that cannot outlive this one. */
export class OwnedProcess {
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  readonly #streams: readonly Socket[];
  #output = "";

  /** @internal */
  constructor(child: ChildProcess, pid: number) {
    this.pid = pid;
    this.#child = child;
    const guard = child.stdio[3] as Socket;
    hold(guard);
    running.add(this);
    this.#exited = new Promise((resolve) => {
      child.once("exit", () => {
        running.delete(this);
        guard.end("ended\n");
        resolve();
      });
    });
    this.#streams = [child.stdout as Socket, child.stderr as Socket];
    for (const stream of this.#streams) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        this.#output = (this.#output + text).slice(-20_000);
      });
    }
    // A script that forgets stop() still ends, and its servers end with it.
    for (const handle of [child, ...this.#streams]) handle.unref();
  }

  get running(): boolean {
    return running.has(this);
  }

  /** The last 20,000 characters of its output. */
  get output(): string {
    return this.#output;
  }

  /** Waits until it has ended, and returns the last 20,000 characters of its output. */
  async lastWords(): Promise<string> {
    await Promise.all(
      this.#streams.map((stream) => {
        stream.ref();
        return finished(stream);
      }),
    );
    return this.#output;
  }

  signal(signal: NodeJS.Signals): void {
    if (!this.running) throw new Error(`Process ${this.pid} has ended and cannot receive ${signal}.`);
    this.#child.kill(signal);
  }

  /** Sends SIGKILL, and resolves when the process is gone. */
  async kill(): Promise<void> {
    if (!this.running) return;
    this.#child.ref();
    this.#child.kill("SIGKILL");
    await this.#exited;
  }
}

/** Starts a program that ends when this process ends, whatever the reason. */
export function spawnOwned(command: readonly string[], { env, cwd }: { env: NodeJS.ProcessEnv; cwd: string }): OwnedProcess {
  const child = spawn("/bin/sh", ["-c", GUARD, "guard", ...command], {
    cwd,
    env,
    stdio: ["ignore", "pipe", "pipe", "pipe"],
    detached: true, // so that Ctrl-C in the terminal does not reach it
  });
  child.on("error", () => {}); // there is no pid then
  if (child.pid === undefined) throw new Error(`Could not start a shell in ${cwd}.`);
  return new OwnedProcess(child, child.pid);
}
