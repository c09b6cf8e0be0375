import { existsSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { expect, test } from "vitest";
import { type Page, pages, root } from "./pages.ts";

test.for(pages)("$path: all links lead to an existing page and heading", (page) => {
  expect(page.links.filter((target) => !leadsSomewhere(page, target))).toEqual([]);
});

test.for(pages)("$path: all files that it names exist", ({ text }) => {
  const named = [...text.matchAll(/`((?:packages|apps|docs|\.ci)\/[\w./-]+)`/g)].map(([, path = ""]) => path);
  expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

test("every page in docs can be reached from the README by links", () => {
  const reached = new Set<string>();
  const visit = (path: string): void => {
    const page = pages.find((page) => page.path === path);
    if (page === undefined || reached.has(path)) return;
    reached.add(path);
    for (const target of page.links) visit(fileOf(page, target));
  };
  visit("README.md");
  expect(pages.map(({ path }) => path).filter((path) => path.startsWith("docs/") && !reached.has(path))).toEqual([]);
});

function leadsSomewhere(page: Page, target: string): boolean {
  if (/^https:\/\//.test(target)) return true;
  const file = fileOf(page, target);
  const [, anchor] = target.split("#");
  if (!existsSync(join(root, file))) return false;
  return (
    anchor === undefined ||
    (pages
      .find(({ path }) => path === file)
      ?.headings.map(slug)
      .includes(anchor) ??
      false)
  );
}

function fileOf({ path }: Page, target: string): string {
  const [file = ""] = target.split("#");
  return file === "" ? path : normalize(join(dirname(path), file));
}

/** Returns the anchor that GitHub gives a heading. */
function slug(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(" ", "-");
}
