import { rmSync } from "node:fs";
import { join } from "node:path";
import { defaultClientConditions, defaultServerConditions, type ViteDevServer } from "vite";
import { defineConfig, type UserConfig } from "vitepress";
import { sidebarsOf } from "../src/navigation.ts";
import { type Page, readPages, slug } from "../src/pages.ts";
import { readReference } from "../src/reference.ts";
import { published, root, site } from "../src/repository.ts";
import { stagedFolder, stagePages, writePage } from "../src/stage.ts";

/** What the playground's copy of core imports from Node. */
const nodeModules = ["async_hooks", "diagnostics_channel", "net", "perf_hooks", "timers"];

const icon =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path fill="#a9d8f5" d="M3 8h10l-.5 4a2 2 0 0 1-2 2h-5a2 2 0 0 1-2-2z"/>' +
  '<path fill="none" stroke="#0b6bab" stroke-width="1.5" d="M2.5 3l1 9a2 2 0 0 0 2 2h5a2 2 0 0 0 2-2l1-9"/></svg>';

export default async (): Promise<UserConfig> => {
  const pages = readPages();
  rmSync(stagedFolder, { recursive: true, force: true });
  stagePages(pages);
  for (const [target, text] of Object.entries(await readReference())) writePage(target, text);
  return defineConfig({
    title: "@ratelimit",
    description: "Rate limiting for Node.js servers",
    lang: "en",
    head: [["link", { rel: "icon", href: `data:image/svg+xml,${encodeURIComponent(icon)}` }]],
    base: process.env["SITE_BASE"] ?? "/",
    srcDir: ".cache/pages",
    cacheDir: ".cache/vitepress",
    outDir: "dist",
    markdown: { anchor: { slugify: slug } },
    themeConfig: {
      search: { provider: "local" },
      nav: [
        { text: "Guide", link: "/quick-start" },
        { text: "API reference", link: "/reference/", activeMatch: "/reference/" },
        { text: "Playground", link: "/playground" },
      ],
      sidebar: sidebarsOf(pages),
      outline: [2, 3],
      socialLinks: [{ icon: "github", link: published }],
      editLink: { text: "Edit this page", pattern: `${published}/edit/main/:path` },
    },
    // So that the link to edit a page leads to its source instead of the copy.
    transformPageData: (page) => ({ filePath: String(page.frontmatter["source"] ?? page.filePath) }),
    vite: {
      plugins: [{ name: "follow-pages", configureServer: (server) => followPages(server, pages) }],
      // The search index, which is only loaded for a search.
      build: { chunkSizeWarningLimit: 2000 },
      resolve: {
        conditions: ["@ratelimit/source", ...defaultClientConditions],
        alias: Object.fromEntries(nodeModules.map((name) => [`node:${name}`, join(site, "playground/node.ts")])),
      },
      ssr: { noExternal: [/^@ratelimit\//], resolve: { conditions: ["@ratelimit/source", ...defaultServerConditions] } },
    },
  });
};

/** Copies the pages again when one of them changes while the site is served. */
function followPages(server: ViteDevServer, pages: readonly Page[]): void {
  const sources = new Set([...pages.map(({ source }) => join(root, source)), join(site, "pages/playground.md")]);
  server.watcher.add([...sources]);
  server.watcher.on("change", (path) => {
    if (sources.has(path)) stagePages(readPages());
  });
}
