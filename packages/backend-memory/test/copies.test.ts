import { createRequire } from "node:module";
import { sharedMemoryBackend } from "@ratelimit/backend-memory";
import { expect, test, vi } from "vitest";

type Copy = typeof import("@ratelimit/backend-memory");

/** Loads the package a second time: the CommonJS build if the built files are tested, or else the sources once more. */
async function secondCopy(): Promise<Copy> {
  if (process.env["TEST_SHIPPED"] !== undefined) return createRequire(import.meta.url)("../dist/index.cjs") as Copy;
  vi.resetModules();
  return import("@ratelimit/backend-memory");
}

test("a process that has two copies of the package has one shared backend", async () => {
  const other = await secondCopy();
  expect(other.sharedMemoryBackend).not.toBe(sharedMemoryBackend);
  expect(other.sharedMemoryBackend()).toBe(sharedMemoryBackend());
});
