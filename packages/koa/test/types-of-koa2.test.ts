import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

test("an application compiles with the types of Koa 2", { timeout: 60_000 }, async () => {
  const tsc = fileURLToPath(new URL("bin/tsc", import.meta.resolve("typescript/package.json")));
  const args = ["-p", join(import.meta.dirname, "programs/tsconfig.koa2.json"), "--listFiles"];
  const { stdout } = await promisify(execFile)(process.execPath, [tsc, ...args]).catch((error: { stdout: string }) => error);
  expect(stdout).not.toContain("error TS");
  expect(stdout).toContain("/@types+koa@2.");
});
