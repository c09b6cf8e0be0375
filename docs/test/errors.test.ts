import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { pages, root } from "./pages.ts";

/** The sources of all packages. */
const sources = readdirSync(join(root, "packages")).flatMap((name) => {
  const folder = join(root, "packages", name, "src");
  return (readdirSync(folder, { recursive: true }) as string[])
    .filter((path) => path.endsWith(".ts"))
    .map((path) => readFileSync(join(folder, path), "utf8"));
});

const headings = pages.find(({ path }) => path === "docs/errors.md")?.headings ?? [];

test("docs/errors.md has one heading for each code of an error, and no other", () => {
  const source = readFileSync(join(root, "packages/core/src/errors.ts"), "utf8");
  const [, union = ""] = /type RateLimitErrorCode =([^;]*);/.exec(source) ?? [];
  const codes = [...union.matchAll(/"([A-Z_]+)"/g)].map(([, code]) => code);
  expect(codes.length).toBeGreaterThan(0);
  expect(headings.filter((heading) => /^[A-Z_]+$/.test(heading) && !heading.startsWith("RATELIMIT_")).sort()).toEqual(codes.sort());
});

test("and one for each code of a warning", () => {
  const codes = new Set(sources.flatMap((source) => [...source.matchAll(/"(RATELIMIT_[A-Z_]*[A-Z])"/g)].map(([, code]) => code)));
  expect(headings.filter((heading) => heading.startsWith("RATELIMIT_")).sort()).toEqual([...codes].sort());
});
