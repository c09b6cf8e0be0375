import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "vite";
import { conditions } from "./conditions.ts";
import { lua } from "./lua-plugin.ts";

/** A program that a test starts as a process of its own. */
export interface Bundle extends AsyncDisposable {
  /** Its one file of JavaScript. */
  readonly path: string;
}

export interface BundleOptions {
  /** Where its temporary folder is made, if not among those of the system: what is not in the bundle is looked for from there. */
  folder?: string;
  /** The packages that are put into it; all. */
  inside?: true | (string | RegExp)[];
}

/** Makes one file of a program and of all it stands on. */
export async function bundle(program: string, { folder = tmpdir(), inside = true }: BundleOptions = {}): Promise<Bundle> {
  const outDir = await mkdtemp(join(folder, ".ratelimit-program-"));
  await build({
    configFile: false,
    plugins: [lua],
    logLevel: "error",
    resolve: { conditions },
    ssr: { noExternal: inside, resolve: { conditions } },
    build: { ssr: program, outDir, emptyOutDir: false, rolldownOptions: { output: { entryFileNames: "program.mjs" } } },
  });
  return {
    path: join(outDir, "program.mjs"),
    [Symbol.asyncDispose]: () => rm(outDir, { recursive: true, force: true }),
  };
}
