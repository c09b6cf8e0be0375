import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import type { Environment } from "../settings.ts";
import type { PlayProcess } from "./contract.ts";

/** The argument that makes the demo's program serve `/play` for a parent. People do not type it. */
export const playArgument = "--play";

/** Processes that serve `/play`. */
export interface PlayProcesses {
  readonly all: readonly PlayProcess[];
  stop(): Promise<void>;
}

/** Starts `program` several times in parallel. If one fails, stops all of them. */
export async function startProcesses(program: string, count: number, env: Environment): Promise<PlayProcesses> {
  const children = Array.from({ length: count }, () => fork(program, [playArgument], { env }));
  const stop = async (): Promise<void> => void (await Promise.all(children.map(end)));
  try {
    return { all: await Promise.all(children.map(ready)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function ready(child: ChildProcess): Promise<PlayProcess> {
  const exited = once(child, "exit").then(([code, signal]: (number | string)[]) => {
    throw new Error(`A process of the page ended at its start with ${code ?? signal}.`);
  });
  const [addresses] = (await Promise.race([once(child, "message"), exited])) as [PlayProcess["addresses"]];
  exited.catch(() => {}); // ending later is normal
  return { pid: child.pid as number, addresses };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  if (child.connected) child.disconnect();
  else child.kill("SIGKILL");
  await exited;
}
