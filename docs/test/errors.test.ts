import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { pages, root } from "./pages.ts";

/** The source files of all packages. */
const sources = readdirSync(join(root, "packages")).flatMap((name) => {
  const folder = join(root, "packages", name, "src");
  return (readdirSync(folder, { recursive: true }) as string[])
    .filter((path) => path.endsWith(".ts"))
    .map((path) => readFileSync(join(folder, path), "utf8"));
});

const page = pages.find(({ path }) => path === "docs/errors.md");
const core = join(root, "packages/core");

test("the errors page has one heading for each error code, and no other", () => {
  const source = readFileSync(join(core, "src/errors.ts"), "utf8");
  const [, union = ""] = /type RateLimitErrorCode =([^;]*);/.exec(source) ?? [];
  const codes = [...union.matchAll(/"([A-Z_]+)"/g)].map(([, code]) => code);
  expect(codes.length).toBeGreaterThan(0);
  expect(page?.headings.filter((heading) => /^[A-Z_]+$/.test(heading) && !heading.startsWith("RATELIMIT_")).sort()).toEqual(codes.sort());
});

test("the errors page has one heading for each warning code, and no other", () => {
  expect(page?.headings.filter((heading) => heading.startsWith("RATELIMIT_")).sort()).toEqual(warningCodes());
});

test("core's package contains the errors page", { timeout: 120_000 }, () => {
  const [packed] = JSON.parse(execFileSync("npm", ["pack", "--dry-run", "--json"], { cwd: core, encoding: "utf8" })) as [
    { files: { path: string }[] },
  ];
  expect(packed.files.map(({ path }) => path)).toContain("errors.md");
  const { exports } = JSON.parse(readFileSync(join(core, "package.json"), "utf8")) as { exports: object };
  expect(exports).toHaveProperty(["./errors.md"], "./errors.md");

  expect(readFileSync(join(core, "errors.md"), "utf8")).toBe(page?.text);
});

test("the errors page has no links to other files, because the package does not contain them", () => {
  expect(page?.links.filter((target) => !target.startsWith("#"))).toEqual([]);
});

test("a warning says where it is explained", async () => {
  const { warn } = await import("../../packages/core/src/warnings.ts");
  const warning = new Promise((resolve) => process.once("warning", resolve));
  warn("RATELIMIT_NO_USER", "A message");
  expect(await warning).toHaveProperty("detail", "See @ratelimit/core/errors.md#ratelimit_no_user");
});

function warningCodes(): string[] {
  const codes = sources.flatMap((source) => [...source.matchAll(/(?<!env\[)"(RATELIMIT_[A-Z_]*[A-Z])"/g)].map(([, code = ""]) => code));
  return [...new Set(codes)].sort();
}
