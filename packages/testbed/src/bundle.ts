import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "vite";
import { conditions } from "./conditions.ts";
import { lua } from "./lua-plugin.ts";

/** A program that a test starts in its own process. */
export interface Bundle extends AsyncDisposable {
  /** The bundled JavaScript file. */
  readonly path: string;
}

export interface BundleOptions {
  /**
   * Where to make the temporary folder. Packages outside the bundle are resolved from there.
   * @defaultValue the temporary folder of the system
   */
  folder?: string;
  /**
   * The packages to bundle.
   * @defaultValue true, for all
   */
  inside?: true | (string | RegExp)[];
}

/** Bundles a program and its dependencies into one file. */
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
