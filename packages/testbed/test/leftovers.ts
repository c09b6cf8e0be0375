import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, vi } from "vitest";
import type { RedisServer } from "../src/index.ts";

/** A folder for temporary folders, in which a test can see what is left of them. */
export interface Tmp extends Disposable {
  readonly path: string;
  left(): string[];
}

export function makeTmp(): Tmp {
  const path = mkdtempSync(join(tmpdir(), "ratelimit-test-"));
  return {
    path,
    left: () => readdirSync(path),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}

/** Creates such a folder, in which this process creates its temporary folders from now on. */
export function useTmp(): Tmp {
  const tmp = makeTmp();
  vi.stubEnv("TMPDIR", tmp.path);
  return {
    ...tmp,
    [Symbol.dispose]: () => {
      vi.unstubAllEnvs();
      tmp[Symbol.dispose]();
    },
  };
}

/** Returns the command lines of all running processes by pid. Zombies do not count. */
async function processes(): Promise<Map<number, string>> {
  const { stdout } = await promisify(execFile)("ps", ["-eo", "pid=,stat=,args="], { maxBuffer: 2 ** 24 });
  const lines = stdout.split("\n").map((line) => /^\s*(\d+)\s+([^Z\s]\S*)\s+(.*)$/.exec(line));
  return new Map(lines.flatMap((parts) => (parts === null ? [] : [[Number(parts[1]), parts[3]!]])));
}

export async function alive(pids: readonly number[]): Promise<number[]> {
  const running = await processes();
  return pids.filter((pid) => running.has(pid));
}

/** Returns what the kernel still has of a network namespace: the namespace and the cable that leads there. */
export async function namespaceTraces(name: string): Promise<string[]> {
  const env = { PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin` };
  const lists = await Promise.all(
    [
      ["netns", "list"],
      ["-o", "link"],
    ].map((args) => promisify(execFile)("ip", args, { env })),
  );
  return lists.flatMap(({ stdout }) => stdout.split("\n")).filter((line) => line.includes(name));
}

/** Waits until these processes have ended, the folder is empty, and no command line names it. */
export async function expectNothingLeft(pids: readonly number[], tmp: Tmp): Promise<void> {
  const remains = async (): Promise<unknown> => ({
    folders: tmp.left(),
    pids: await alive(pids),
    commands: [...(await processes()).values()].filter((command) => command.includes(tmp.path)),
  });
  const nothing = { folders: [], pids: [], commands: [] };
  await vi.waitFor(async () => expect(await remains()).toEqual(nothing), { timeout: 10_000 });
}

/** Checks the same for servers that share a folder with others. */
export async function expectGone(servers: readonly RedisServer[]): Promise<void> {
  expect(servers.map((server) => server.running)).not.toContain(true);
  expect(await alive(servers.map((server) => server.pid))).toEqual([]);
  expect(servers.map((server) => existsSync(server.dir))).not.toContain(true);
}
