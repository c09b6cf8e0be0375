import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "vite";

/** How a program ended. */
export interface Ended {
  readonly output: string;
  readonly seconds: number;
}

/** Runs a program of the folder `programs` in a process of its own, from the sources, so that no build has to be up to date. */
export async function run(program: string, ...flags: string[]): Promise<Ended> {
  const folder = await mkdtemp(join(tmpdir(), "ratelimit-core-"));
  try {
    await build({
      configFile: false,
      logLevel: "error",
      build: {
        ssr: join(import.meta.dirname, "..", "programs", program),
        outDir: folder,
        emptyOutDir: false,
        rolldownOptions: { output: { entryFileNames: "program.mjs" } },
      },
    });
    const start = performance.now();
    const { stdout } = await promisify(execFile)(process.execPath, [...flags, join(folder, "program.mjs")], { timeout: 10_000 });
    return { output: stdout, seconds: (performance.now() - start) / 1000 };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
