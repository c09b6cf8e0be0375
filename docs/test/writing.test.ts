/** Runs the pages that build a backend and an adapter: their blocks are the files that their first lines name. */
import { execFile } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { PGlite } from "@electric-sql/pglite";
import { backendRequirements } from "@ratelimit/conformance";
import type { Backend } from "@ratelimit/core";
import { afterAll, describe, expect, test } from "vitest";
import { pages } from "./pages.ts";

/** A folder for this run only, because another run may be in progress. */
const folder = join(import.meta.dirname, "../.cache", `writing-${process.pid}`);

const files = ["docs/writing-a-backend.md", "docs/writing-an-adapter.md"].flatMap((path) =>
  (pages.find((page) => page.path === path)?.sections ?? [])
    .flatMap(({ blocks }) => blocks)
    .filter(({ language }) => language === "ts")
    .map(({ lines, line }) => {
      const name = /^\/\/ ([\w-]+(\.test)?\.ts)$/.exec(lines[0] ?? "")?.[1];
      if (name === undefined) throw new Error(`${path}:${line} does not begin with the name of its file`);
      return { path, name, text: `${lines.join("\n")}\n`, lines: lines.filter((text) => text.trim() !== "").length };
    }),
);

mkdirSync(folder, { recursive: true });
for (const { name, text } of files) writeFileSync(join(folder, name), text);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("the programs pass the type checker", { timeout: 60_000 }, async () => {
  const options = { extends: "../../tsconfig.json", compilerOptions: { rootDir: "../../.." }, include: ["."] };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(options));
  const tsc = fileURLToPath(new URL("bin/tsc", import.meta.resolve("typescript/package.json")));
  const { stdout } = await promisify(execFile)(process.execPath, [tsc, "-p", folder, "--pretty", "false"], { cwd: folder }).catch(
    (error: { stdout: string }) => error,
  );
  expect(stdout.split("\n").filter((line) => /^[\w.-]+\.ts\(/.test(line))).toEqual([]);
});

test.each(files.filter(({ name }) => /^(postgres-backend|node-http)\.ts$/.test(name)))("$name has about 60 lines", ({ lines }) => {
  expect(lines).toBeLessThanOrEqual(70);
});

test("the suite catches the mistake that the page describes", async () => {
  const { text = "" } = files.find(({ name }) => name === "postgres-backend.ts") ?? {};
  writeFileSync(join(folder, "broken-backend.ts"), text.replace("DO UPDATE SET id = excluded.id", "DO NOTHING"));
  const { PostgresBackend } = (await import(join(folder, "broken-backend.ts"))) as {
    PostgresBackend: new (db: PGlite) => Backend;
  };
  const db = new PGlite();
  const requirement = backendRequirements.find(({ name }) => name.startsWith("of two calls in one tick"));
  await expect(requirement?.verify(() => ({ backend: new PostgresBackend(db) }))).rejects.toThrow(
    "of two calls in one tick at a limit of 1, exactly one is admitted",
  );
  await db.close();
});

for (const { name, path } of files.filter(({ name }) => name.endsWith(".test.ts"))) {
  describe(`${path}, ${name}`, async () => {
    await import(join(folder, name));
  });
}
