import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { describe, expect, inject, onTestFinished, test } from "vitest";
import { counted, limitWords, printable, share, shortened, span, sparkline } from "../src/report/wording.ts";
import { cli } from "./support/cli.ts";
import { file, folder } from "./support/folder.ts";
import { lines, traffic } from "./support/log.ts";

test.for([
  [0, 10, "0%"],
  [10, 10, "100%"],
  [1, 1e6, "<0.01%"],
  [999_999, 1e6, ">99.99%"],
  [1, 1000, "0.10%"],
  [1, 3, "33.3%"],
  [9999, 1e6, "1.0%"],
  [9949, 1e6, "0.99%"],
  [2000, 2001, "99.95%"],
  [9998, 10_000, "99.98%"],
  [9994, 10_000, "99.9%"],
] as const)("%i of %i is %s", ([part, of, text]) => {
  expect(share(part, of)).toBe(text);
});

test.for([
  [0, "0 s"],
  [0.6, "0.6 s"],
  [59.9996, "60 s"],
  [60, "1 min"],
  [3599, "59 min 59 s"],
  [7500, "2 h 5 min"],
  [90_000, "1 d 1 h"],
] as const)("%f seconds are %s", ([seconds, text]) => {
  expect(span(seconds)).toBe(text);
});

test("limits in words", () => {
  expect(limitWords({ rate: 100, periodSeconds: 60, burst: 150 })).toBe("100 requests per minute with a burst of 150");
  expect(limitWords({ rate: 1, periodSeconds: 1, burst: 1 })).toBe("1 request per second");
  expect(limitWords({ rate: 1000, periodSeconds: 900, burst: 1000 })).toBe("1,000 requests per 15 min");
  expect(counted(0, "client")).toBe("0 clients");
});

test("a sparkline shows every count above 0, and adds counts up if there is no room", () => {
  expect(sparkline([0, 1, 50, 100], 80)).toBe(" ▁▅█");
  expect(sparkline([1, 1, 2, 2, 4, 4], 3)).toBe("▃▅█");
  expect(sparkline([0, 2, 0], 80)).toBe(" █");
});

test("control characters become visible, and long texts lose their middle", () => {
  expect(printable("a\u001b]0;x\u0007\u202eb\u00e9\u{1f600}")).toBe("a\\u{1b}]0;x\\u{7}\\u{202e}b\u00e9\u{1f600}");
  expect(shortened("abcdefghij", 5)).toBe("ab…ij");
  expect(shortened("abc", 5)).toBe("abc");
});

test("a reader that closes the pipe ends the program quietly", async () => {
  const path = file("access.log", lines([...traffic({ requests: 20_000, clients: 5000, seed: 9 })]));
  const child = spawn(process.execPath, [inject("main"), "replay", path, "--limit", "1/1h", "--top", "5000", "--json"]);
  child.stdout.once("data", () => child.stdout.destroy());
  const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, "close") as Promise<[number | null]>]);
  expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
});

test.skipIf(!existsSync("/dev/full"))("a full disk is one sentence (skipped if there is no /dev/full)", async () => {
  const path = file("access.log", lines([...traffic({ requests: 200, clients: 3, seed: 9 })]));
  const full = openSync("/dev/full", "w");
  onTestFinished(() => closeSync(full));
  const child = spawn(process.execPath, [inject("main"), "replay", path, "--limit", "1/1h"], { stdio: ["ignore", full, "pipe"] });
  const [stderr, [code]] = await Promise.all([text(child.stderr as Readable), once(child, "close") as Promise<[number | null]>]);
  expect({ stderr, code }).toEqual({ stderr: "Cannot write to the standard output: ENOSPC\n", code: 2 });
});

test("without a terminal there are no colors and no progress bar", async () => {
  const path = file("access.log", lines([...traffic({ requests: 200, clients: 3, seed: 9 })]));
  const { stdout, stderr } = await cli(["replay", path, "--limit", "10/1m"], { env: { CI: "true" } });
  expect(stderr).toBe("");
  expect(stdout).not.toContain("\u001b");
});

const hasScript = process.platform === "linux" && spawnSync("script", ["--version"]).status === 0;

describe.skipIf(!hasScript)("in a terminal (skipped if there is no `script` of util-linux)", () => {
  /** Runs a shell command with a terminal. */
  async function inTerminal(command: string): Promise<{ output: string; code: number | null }> {
    const child = spawn("script", ["-qec", command, "/dev/null"], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { PATH: process.env["PATH"], TERM: "xterm-256color", COLUMNS: "100" },
    });
    const [output, [code]] = await Promise.all([text(child.stdout), once(child, "close") as Promise<[number | null]>]);
    return { output, code };
  }

  const program = `'${process.execPath}' '${inject("main")}'`;

  test("there are colors and a bar, and the cursor is back at the end", async () => {
    const path = file("access.log", lines([...traffic({ requests: 60_000, clients: 5000, seed: 9 })]));
    const { output, code } = await inTerminal(`${program} replay '${path}' --limit 10/1m`);
    expect(code).toBe(0);
    expect(output).toMatch(/\d+% {2}\d+ of \d+ MB, [\d,]+ lines, /);
    expect(output).toContain("\u001b[1m60,000 requests from");
    expect(output.lastIndexOf(showCursor)).toBeGreaterThan(output.lastIndexOf(hideCursor));
  });

  test("one that does not know its width gets charts all the same", async () => {
    const path = file("access.log", lines([...traffic({ requests: 200, clients: 3, seed: 9 })]));
    const { output } = await inTerminal(`stty cols 0 <&1; ${program} replay '${path}' --limit 10/1m`);
    expect(output).toMatch(/requests +[▁-█]/);
  });

  test.for(["INT", "TERM"])("the cursor is back after SIG%s too", { timeout: 30_000 }, async (signal) => {
    // Nobody writes into the pipe, so the replay waits until `timeout` ends it.
    const pipe = join(folder(), "pipe");
    const { output, code } = await inTerminal(`mkfifo '${pipe}' && timeout -s ${signal} 4 ${program} replay '${pipe}' --limit 10/1m`);
    expect(code).toBe(124);
    expect(output).toContain(hideCursor);
    expect(output.lastIndexOf(showCursor)).toBeGreaterThan(output.lastIndexOf(hideCursor));
  });
});

const [hideCursor, showCursor] = ["\u001b[?25l", "\u001b[?25h"];
