import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { text } from "node:stream/consumers";
import { hold } from "./lifeline.ts";

// The keeper makes the folder and waits on its stdin. When that closes, this process no longer needs the folder, or is gone
// (even by SIGKILL). It tries several times, because a dying server may still write to the folder.
const KEEPER = `
trap '' PIPE
folder=$(mktemp -d "$1") || exit 1
echo "$folder"
exec >&-
while read -r _; do :; done
for wait in 0.05 0.1 0.3 1 3; do rm -rf "$folder" && exit; sleep "$wait"; done 2>/dev/null
`;

/** A temporary folder that cannot outlive this process. */
export interface OwnedFolder {
  readonly path: string;
  remove(): Promise<void>;
}

export async function makeFolder(parent: string = tmpdir()): Promise<OwnedFolder> {
  const keeper: ChildProcess = spawn("/bin/sh", ["-c", KEEPER, "keeper", `${parent}/ratelimit-testbed-XXXXXX`], {
    env: { PATH: `${process.env["PATH"] ?? ""}:/usr/bin:/bin` },
    stdio: ["pipe", "pipe", "ignore"],
    detached: true, // so that Ctrl-C in the terminal does not reach it
  });
  const stdin = keeper.stdin as Socket;
  hold(stdin);
  const [answer] = await Promise.all([text(keeper.stdout as Socket), once(keeper, "spawn")]);
  const path = answer.trimEnd();
  if (path === "") throw new Error(`Could not make a temporary folder in ${parent}.`);
  keeper.unref();
  return {
    path,
    remove: async () => {
      await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
      stdin.end();
    },
  };
}
