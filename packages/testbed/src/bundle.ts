import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
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
   * @defaultValue the `node_modules` of the program's package, because a bundle does not contain what a program loads with `require`
   */
  folder?: string;
  /**
   * The packages to bundle.
   * @defaultValue true, for all
   */
  inside?: true | (string | RegExp)[];
}

/** Bundles a program and its dependencies into one file. */
export async function bundle(program: string, { folder = modulesOf(program), inside = true }: BundleOptions = {}): Promise<Bundle> {
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

function modulesOf(program: string): string {
  let folder = dirname(program);
  while (!existsSync(join(folder, "package.json"))) folder = dirname(folder);
  return join(folder, "node_modules");
}
