import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";

/** Starts a program as a process that fails if it leaves a rejection unhandled. */
export function startChild(path: string, args: readonly string[] = []): ChildProcess {
  return fork(path, args, { execArgv: ["--unhandled-rejections=strict"] });
}

/**
 * Sends a message to a process, and resolves with the next message from it.
 * @throws {Error} if the process ends first.
 */
export async function answerTo(child: ChildProcess, message: object | string): Promise<unknown> {
  const answered = Promise.race([
    once(child, "message"),
    once(child, "exit").then(([code]) => {
      throw new Error(`The process ended with ${code}`);
    }),
  ]);
  child.send(message);
  return (await answered)[0];
}
