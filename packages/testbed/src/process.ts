import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";
import { finished } from "node:stream/promises";
import { hold } from "./lifeline.ts";

// This shell becomes the program (exec keeps the pid), but first it leaves a guard behind, which is nobody's child and
// waits on fd 3. When that closes without a word, our process is gone, even by SIGKILL, and the guard ends the program.
// A word says that the program has ended: its pid may be somebody else's by now.
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
    // A script that forgets stop() ends all the same, and takes its servers with it.
    for (const handle of [child, ...this.#streams]) handle.unref();
  }

  get running(): boolean {
    return running.has(this);
  }

  /** The last of what it wrote. */
  get output(): string {
    return this.#output;
  }

  /** All that it wrote, when it has ended. */
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
    if (!this.running) throw new Error(`Process ${this.pid} has ended and takes no ${signal}.`);
    this.#child.kill(signal);
  }

  /** SIGKILL; settled when the process is gone. */
  async kill(): Promise<void> {
    if (!this.running) return;
    this.#child.ref();
    this.#child.kill("SIGKILL");
    await this.#exited;
  }
}

/** Starts a program that goes when this process goes, of whatever cause. */
export function spawnOwned(command: readonly string[], { env, cwd }: { env: NodeJS.ProcessEnv; cwd: string }): OwnedProcess {
  const child = spawn("/bin/sh", ["-c", GUARD, "guard", ...command], {
    cwd,
    env,
    stdio: ["ignore", "pipe", "pipe", "pipe"],
    detached: true, // the terminal's Ctrl-C is not for it
  });
  child.on("error", () => {}); // then there is no pid
  if (child.pid === undefined) throw new Error(`Could not start a shell in ${cwd}.`);
  return new OwnedProcess(child, child.pid);
}
