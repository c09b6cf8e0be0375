import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { bundle } from "@ratelimit/testbed/bundle";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  export interface ProvidedContext {
    /** The file that `npx @ratelimit/cli` runs. */
    main: string;
  }
}

/** Provides the program: the built one with TEST_SHIPPED, otherwise one that is bundled from the sources. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const root = join(import.meta.dirname, "../..");
  if (process.env["TEST_SHIPPED"] !== undefined) {
    project.provide("main", join(root, "dist/main.js"));
    return async () => {};
  }
  // Below the package, because it reads its own version.
  const folder = join(root, ".cache");
  await mkdir(folder, { recursive: true });
  const made = await bundle(join(root, "src/main.ts"), { folder, inside: [/^@ratelimit\/(?!cli)/] });
  project.provide("main", made.path);
  return async () => made[Symbol.asyncDispose]();
}
