import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build, defaultServerConditions } from "vite";

/** A program that a test starts as a process of its own. */
export interface Bundle extends AsyncDisposable {
  readonly path: string;
}

/** Makes one file of a program in this folder and of the sources it stands on, so that no build has to be up to date. */
export async function bundle(program: string): Promise<Bundle> {
  const folder = await mkdtemp(join(tmpdir(), "ratelimit-program-"));
  const conditions = ["@ratelimit/source", ...defaultServerConditions];
  await build({
    configFile: false,
    logLevel: "error",
    resolve: { conditions },
    ssr: { noExternal: true, resolve: { conditions } },
    build: {
      ssr: join(import.meta.dirname, program),
      outDir: folder,
      emptyOutDir: false,
      rolldownOptions: { output: { entryFileNames: "program.mjs" } },
    },
  });
  return {
    path: join(folder, "program.mjs"),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
