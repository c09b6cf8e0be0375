import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { build, defaultServerConditions } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const run = promisify(execFile);

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ratelimit-attack-"));
  const conditions = ["@ratelimit/source", ...defaultServerConditions];
  await build({
    configFile: false,
    logLevel: "error",
    resolve: { conditions },
    ssr: { noExternal: true, resolve: { conditions } },
    build: {
      ssr: join(import.meta.dirname, "support/attacks.ts"),
      outDir: folder,
      rolldownOptions: { output: { entryFileNames: "attacks.mjs" } },
    },
  });
}, 60_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Keys that are sprayed; with ATTACK_KEYS=10000000, of which docs/reliability.md tells, it takes more than a minute. */
const sprayed = process.env["ATTACK_KEYS"] ?? "1000000";

/** Attacks a process of its own, and waits until that has ended by itself. */
async function attacked(how: string, count: string = "0"): Promise<Record<string, number>> {
  const { stdout } = await run(process.execPath, ["--expose-gc", join(folder, "attacks.mjs"), how, count], { timeout: 300_000 });
  process.stdout.write(`${how}: ${stdout}`);
  return JSON.parse(stdout) as Record<string, number>;
}

describe("a process with the memory backend", () => {
  test(`stands ${sprayed} keys at maxKeys 100,000 in 60 MB more, and a blocked key stays blocked`, { timeout: 300_000 }, async () => {
    const { grownMb, unblocked, keys } = await attacked("spray", sprayed);
    expect(grownMb).toBeLessThanOrEqual(60);
    expect(unblocked).toBe(0);
    expect(keys).toBe(100_000);
  });

  test("gives back a million keys without holding up anybody", { timeout: 180_000 }, async () => {
    const { keys, p99 } = await attacked("sweep");
    expect(keys).toBeGreaterThan(900_000);
    expect(p99).toBeLessThan(10);
  });

  test("keeps no request alive, not even the one that set the timer", { timeout: 60_000 }, async () => {
    expect(await attacked("context")).toEqual({ keys: 2, kept: 0 });
  });

  test("ends by itself", { timeout: 60_000 }, async () => {
    const start = performance.now();
    await attacked("exit");
    expect(performance.now() - start).toBeLessThan(20_000);
  });
});
