import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { build, defaultServerConditions } from "vite";
import { afterAll, beforeAll } from "vitest";

/** Attacks a process of its own in one of the ways of attacks.ts, so many times, and waits until that has ended by itself. */
export type Attack = (how: string, count?: number) => Promise<Record<string, number>>;

/** Makes one file of attacks.ts and the sources before the tests of a file, and removes it after them. */
export function attacking(): Attack {
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
        ssr: join(import.meta.dirname, "attacks.ts"),
        outDir: folder,
        rolldownOptions: { output: { entryFileNames: "attacks.mjs" } },
      },
    });
  }, 60_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));
  return async (how, count = 0) => {
    const args = ["--expose-gc", join(folder, "attacks.mjs"), how, String(count)];
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 300_000 });
    process.stdout.write(`${how}: ${stdout}`);
    return JSON.parse(stdout) as Record<string, number>;
  };
}
