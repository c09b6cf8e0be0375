import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, vi } from "vitest";
import type { RedisServer } from "../src/index.ts";

/** A place for temporary folders, where what is left of them can be seen. */
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

/** The same, and what this process makes from now on goes there. */
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

/** The processes that run (a zombie that nobody has fetched does not), by pid, with their command lines. */
async function processes(): Promise<Map<number, string>> {
  const { stdout } = await promisify(execFile)("ps", ["-eo", "pid=,stat=,args="], { maxBuffer: 2 ** 24 });
  const lines = stdout.split("\n").map((line) => /^\s*(\d+)\s+([^Z\s]\S*)\s+(.*)$/.exec(line));
  return new Map(lines.flatMap((parts) => (parts === null ? [] : [[Number(parts[1]), parts[3]!]])));
}

export async function alive(pids: readonly number[]): Promise<number[]> {
  const running = await processes();
  return pids.filter((pid) => running.has(pid));
}

/** What the kernel still has of a network namespace: itself, and the cable that leads there. */
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

/** The same of servers whose folders lie among those of others. */
export async function expectGone(servers: readonly RedisServer[]): Promise<void> {
  expect(servers.map((server) => server.running)).not.toContain(true);
  expect(await alive(servers.map((server) => server.pid))).toEqual([]);
  expect(servers.map((server) => existsSync(server.dir))).not.toContain(true);
}
