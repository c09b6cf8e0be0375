import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, extname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { defineConfig, RateLimiter } from "@ratelimit/core";

type Core = typeof import("@ratelimit/core") & typeof import("@ratelimit/core/backend");

/** Loads core again, as happens when two versions are installed, so that no class is the same. */
export async function secondCore(): Promise<Core> {
  const index = pathOfCore();
  const folder = mkdtempSync(join(tmpdir(), "ratelimit-core-"));
  try {
    cpSync(dirname(index), folder, { recursive: true });
    // Node must take the copies for ES modules as well.
    cpSync(join(dirname(index), "../package.json"), join(folder, "package.json"));
    const load = <T>(file: string): Promise<T> => loaded(join(folder, file)) as Promise<T>;
    const copy = {
      ...(await load<typeof import("@ratelimit/core")>(basename(index))),
      ...(await load<typeof import("@ratelimit/core/backend")>(`backend${extname(index)}`)),
    };
    assert.notEqual(copy.RateLimiter, RateLimiter);
    assert.notEqual(copy.defineConfig, defineConfig);
    return copy;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The file that `import` loads for core. CommonJS has no `import.meta.resolve`. */
function pathOfCore(): string {
  const { resolve } = import.meta as Partial<ImportMeta>;
  return resolve === undefined ? createRequire(import.meta.url).resolve("@ratelimit/core") : fileURLToPath(resolve("@ratelimit/core"));
}

/** Jest has no `import()` in CommonJS, but a `require`. */
async function loaded(path: string): Promise<unknown> {
  try {
    return await import(pathToFileURL(path).href);
  } catch {
    return createRequire(import.meta.url)(path);
  }
}
