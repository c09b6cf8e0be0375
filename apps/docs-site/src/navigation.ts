import type { DefaultTheme } from "vitepress";
import type { Page } from "./pages.ts";
import { type Package, packages } from "./repository.ts";

type Item = DefaultTheme.SidebarItem;

/** The order of the pages. A page of `docs` that has no row here appears under "More". */
const groups: readonly { readonly text: string; readonly sources: readonly string[] }[] = [
  { text: "Start", sources: ["README.md", "docs/quick-start.md", "docs/migrating.md"] },
  {
    text: "Frameworks",
    sources: ["docs/express.md", "docs/fastify.md", "docs/koa.md", "docs/fetch.md", "docs/nestjs.md", "docs/serverless.md"],
  },
  { text: "Backends", sources: ["docs/memory.md", "docs/redis.md", "docs/leases.md", "docs/state.md"] },
  { text: "Limits", sources: ["docs/http.md", "docs/recipes.md", "docs/testing.md", "docs/errors.md", "docs/algorithm.md"] },
  { text: "In production", sources: ["docs/reliability.md", "docs/operating.md", "docs/performance.md", "docs/scaling.md", "docs/cli.md"] },
];

/** Returns the sidebar of the guide, which lists `pages`, and that of the reference. */
export function sidebarsOf(pages: readonly Page[]): { "/": Item[]; "/reference/": Item[] } {
  const listed = new Set(groups.flatMap(({ sources }) => sources));
  const more = pages.filter(({ source }) => /^docs\/[^/]+$/.test(source) && !listed.has(source));
  const decisions = pages.filter(({ source }) => /^docs\/decisions\//.test(source) && source !== "docs/decisions/README.md");
  const itemFor = (source: string): Item => itemOf(pageOf(pages, source));
  return {
    "/": [
      ...groups.map(({ text, sources }) => ({ text, items: sources.map(itemFor) })),
      ...(more.length > 0 ? [{ text: "More", items: more.map(itemOf) }] : []),
      {
        text: "The project",
        items: [
          itemFor("CONTRIBUTING.md"),
          itemFor("SECURITY.md"),
          { ...itemFor("docs/decisions/README.md"), collapsed: true, items: decisions.map(itemOf) },
        ],
      },
    ],
    "/reference/": [{ text: "API reference", link: "/reference/", items: packages.map(referenceOf) }],
  };
}

function referenceOf({ name, folder, doors }: Package): Item {
  const items = doors.map(({ name, page }) => ({ text: name.replace("@ratelimit/", ""), link: linkOf(page) }));
  return { text: name, link: linkOf(`reference/${folder}/index.md`), items };
}

function pageOf(pages: readonly Page[], source: string): Page {
  const page = pages.find((page) => page.source === source);
  if (page === undefined) throw new Error(`Expected ${source} to exist: remove it from the groups in apps/docs-site/src/navigation.ts`);
  return page;
}

function itemOf({ source, title, target }: Page): Item {
  return { text: source === "README.md" ? "Overview" : title, link: linkOf(target) };
}

/** Returns the link to a page of the site. */
export function linkOf(target: string): string {
  return `/${target.replace(/(index)?\.md$/, "")}`;
}
