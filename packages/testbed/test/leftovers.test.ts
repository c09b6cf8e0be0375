import { spawn } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { build } from "vite";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { startCluster, startSentinel, startStandalone, startTls, whyNoNamespace } from "../src/index.ts";
import { alive, expectNothingLeft, makeTmp, namespaceTraces, useTmp } from "./leftovers.ts";

// Node itself runs no TypeScript, and a bundle starts sooner than a dev server. It is in a folder from which its imports are found.
const bundle = join(import.meta.dirname, "../node_modules", `.testbed-${process.pid}`);
beforeAll(() =>
  build({
    configFile: false,
    logLevel: "error",
    build: { ssr: join(import.meta.dirname, "../src/index.ts"), outDir: bundle, emptyOutDir: true },
  }),
);
afterAll(() => rm(bundle, { recursive: true }));

const reason = await whyNoNamespace();
if (reason !== undefined) process.stdout.write(`no network namespaces here (${reason}): their leftovers are not tested\n`);

interface Ending {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** Runs a process with servers, ends it with a signal if one is given, and returns the pids of the servers. */
async function run(how: string, tmp: string, signal?: NodeJS.Signals, wait = 0): Promise<{ pids: number[]; namespace?: string } & Ending> {
  const runner = spawn(process.execPath, [join(import.meta.dirname, "runner.mjs"), how, join(bundle, "index.js")], {
    env: { ...process.env, TMPDIR: tmp },
    stdio: ["ignore", "pipe", how === "throws" ? "ignore" : "inherit"],
  });
  const ended = once(runner, "exit");
  const lines = createInterface(runner.stdout);
  const [line] = (await Promise.race([once(lines, "line"), once(lines, "close")])) as [string?];
  if (line === undefined) throw new Error(`The process ended early: ${how}.`);
  const { pids, namespace } = JSON.parse(line) as { pids: number[]; namespace?: string };
  if (signal !== undefined) {
    expect(await alive(pids)).toHaveLength(pids.length - (how === "waits" ? 1 : 0)); // the last one was killed
    if (namespace !== undefined) expect(await namespaceTraces(namespace)).toHaveLength(2);
    await new Promise((resolve) => setTimeout(resolve, wait));
    runner.kill(signal);
  }
  const [code, by] = (await ended) as [number | null, NodeJS.Signals | null];
  return { pids, code, signal: by, ...(namespace !== undefined && { namespace }) };
}

describe("no server and no folder is left behind", () => {
  test.concurrent.for(["SIGKILL", "SIGINT", "SIGTERM"] as const)("after %s", async (signal) => {
    using tmp = makeTmp();
    const { pids, ...ending } = await run("waits", tmp.path, signal);
    expect(ending).toEqual({ code: null, signal });
    expect(pids).toHaveLength(5);
    await expectNothingLeft(pids, tmp);
  });

  test.skipIf(reason !== undefined).concurrent("nor a network namespace", async () => {
    using tmp = makeTmp();
    const { pids, namespace = "" } = await run("has a namespace", tmp.path, "SIGKILL");
    await expectNothingLeft(pids, tmp);
    await vi.waitFor(async () => expect(await namespaceTraces(namespace)).toEqual([]), { timeout: 5000 });
  });

  test.concurrent("when a worker outlives the process that forked it", async () => {
    using tmp = makeTmp();
    const { pids, code } = await run("forks", tmp.path);
    const [worker, ...servers] = pids as [number, ...number[]];
    try {
      expect(code).toBe(0);
      await expectNothingLeft(servers, tmp);
      expect(await alive([worker])).toEqual([worker]);
    } finally {
      process.kill(worker, "SIGKILL");
    }
  });

  test.concurrent.for([
    ["throws", 1],
    ["exits", 3],
    ["ends", 0],
  ] as const)("when the process %s", async ([how, code]) => {
    using tmp = makeTmp();
    const { pids, ...ending } = await run(how, tmp.path);
    expect(ending).toEqual({ code, signal: null });
    await expectNothingLeft(pids, tmp);
  });

  test.concurrent.for([0, 5, 10, 20, 40, 80, 160])("after SIGKILL %i ms into a start", async (wait) => {
    using tmp = makeTmp();
    await run("killed while it starts", tmp.path, "SIGKILL", wait);
    await expectNothingLeft([], tmp);
  });

  test.for([
    ["standalone", startStandalone],
    ["cluster", startCluster],
    ["sentinel", startSentinel],
    ["TLS", startTls],
  ] as const)("when a %s fails while it starts", async ([, start]) => {
    using tmp = useTmp();
    await expect(start({ args: ["--no-such-option", "1"] })).rejects.toThrow(/ended before it was ready:\s[\s\S]*no-such-option/);
    expect(tmp.left()).toEqual([]);
  });
});
