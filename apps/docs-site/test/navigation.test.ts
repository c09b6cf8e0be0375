import { existsSync } from "node:fs";
import type { DefaultTheme } from "vitepress";
import { expect, test } from "vitest";
import { linkOf, sidebarsOf } from "../src/navigation.ts";
import { type Page, readPages } from "../src/pages.ts";
import { packages } from "../src/repository.ts";

const pages = readPages();

function linksOf(items: readonly DefaultTheme.SidebarItem[]): (string | undefined)[] {
  return items.flatMap(({ link, items = [] }) => [link, ...linksOf(items)]);
}

function groupOf(sidebar: readonly DefaultTheme.SidebarItem[], link: string): string | undefined {
  return sidebar.find(({ items = [] }) => linksOf(items).includes(link))?.text;
}

test.for(pages)("$source is in the navigation", ({ target }) => {
  const sidebars = sidebarsOf(pages);
  expect(linksOf(Object.values(sidebars).flat())).toContain(linkOf(target));
});

test("a page in docs that nobody has listed appears under More", () => {
  const added: Page = { source: "docs/added.md", target: "added.md", title: "Added", text: "# Added\n" };
  expect(groupOf(sidebarsOf([...pages, added])["/"], "/added")).toBe("More");
  expect(groupOf(sidebarsOf(pages)["/"], "/redis")).toBe("Backends");
});

test("a listed page that is gone is named", () => {
  const left = pages.filter(({ source }) => source !== "docs/koa.md");
  expect(() => sidebarsOf(left)).toThrow("Expected docs/koa.md to exist");
});

test("each entry point of each public package has a page of the reference", () => {
  const links = linksOf(sidebarsOf(pages)["/reference/"]);
  const doors = packages.flatMap(({ doors }) => doors);
  expect(doors.map(({ name }) => name)).toEqual(
    expect.arrayContaining([
      "@ratelimit/core",
      "@ratelimit/core/backend",
      "@ratelimit/core/adapter",
      "@ratelimit/core/http",
      "@ratelimit/koa",
    ]),
  );
  for (const { page, source } of doors) {
    expect(links).toContain(linkOf(page));
    expect(existsSync(source)).toBe(true);
  }
});
