import { cpSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { homePage } from "./home.ts";
import type { Page } from "./pages.ts";
import { published, root, site } from "./repository.ts";

/** The folder that VitePress builds from. Everything in it is a copy. */
export const stagedFolder: string = join(site, ".cache/pages");

/** Writes the pages of the repository to the folder that VitePress builds from. */
export function stagePages(pages: readonly Page[]): void {
  for (const page of pages) writePage(page.target, stagedText(page, pages));
  writePage("index.md", homePage(pages));
  cpSync(join(site, "pages"), stagedFolder, { recursive: true });
}

/** Writes one page to the folder that VitePress builds from. */
export function writePage(target: string, text: string): void {
  const path = join(stagedFolder, target);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

/** Returns the text of a page with links that work on the site, and without what readers do not see. */
export function stagedText(page: Page, pages: readonly Page[]): string {
  const visible = withoutComments(page.text).map(({ line, isCode }) => (isCode ? line : withLinks(line, page, pages)));
  return `---\nsource: ${page.source}\n---\n\n${visible.join("\n")}`;
}

interface Line {
  readonly line: string;
  readonly isCode: boolean;
}

/** Leaves out the comments between blocks, and of the first line of a block all but its language: the rest is for `docs/test`. */
function withoutComments(text: string): Line[] {
  const lines: Line[] = [];
  let end: string | undefined;
  for (const line of text.split("\n")) {
    if (end === "-->") {
      if (line.endsWith(end)) end = undefined;
    } else if (end !== undefined) {
      lines.push({ line, isCode: true });
      if (line.trim() === end) end = undefined;
    } else if (line.startsWith("<!--")) {
      if (!line.endsWith("-->")) end = "-->";
    } else {
      const [, indent = "", fence, language = ""] = /^(\s*)(```+)(\w*)/.exec(line) ?? [];
      end = fence;
      lines.push(fence === undefined ? { line, isCode: false } : { line: indent + fence + language, isCode: true });
    }
  }
  return lines;
}

/** Replaces the targets of links and images outside code: `](target)`, `src="target"` and `srcset="target"`. */
function withLinks(line: string, page: Page, pages: readonly Page[]): string {
  return line.replaceAll(/`[^`]*`|(\]\(|\bsrc(?:set)?=")([^)\s"]+)/g, (whole, before?: string, target?: string) =>
    before === undefined || target === undefined ? whole : before + linkFrom(page, target, pages),
  );
}

function linkFrom(page: Page, target: string, pages: readonly Page[]): string {
  if (/^(#|\w+:)/.test(target)) return target;
  const [path = "", anchor] = target.split("#");
  const source = posix.join(posix.dirname(page.source), path);
  const hash = anchor === undefined ? "" : `#${anchor}`;
  const other = pages.find((other) => other.source === source);
  if (other !== undefined) return `${relativeTo(page, other.target)}${hash}`;
  if (!/\.(png|svg|jpe?g|gif|webp)$/.test(source)) return `${published}/blob/main/${source}${hash}`;
  if (!existsSync(join(root, source))) throw new Error(`Expected ${source} to exist, which ${page.source} shows: correct its path`);
  cpSync(join(root, source), join(stagedFolder, "images", posix.basename(source)));
  return relativeTo(page, `images/${posix.basename(source)}`);
}

function relativeTo(page: Page, target: string): string {
  const path = posix.relative(posix.dirname(page.target), target);
  return path.startsWith(".") ? path : `./${path}`;
}
