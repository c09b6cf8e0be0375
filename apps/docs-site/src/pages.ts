import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { packages, read, root } from "./repository.ts";

/** A Markdown file of the repository that is a page of the site. */
export interface Page {
  /** Relative to the root of the repository, such as `docs/redis.md`. */
  readonly source: string;
  /** Relative to the pages of the site, such as `redis.md`. */
  readonly target: string;
  /** Its first heading. */
  readonly title: string;
  readonly text: string;
}

const atRoot: Readonly<Record<string, string>> = {
  "README.md": "overview.md",
  "CONTRIBUTING.md": "contributing.md",
  "SECURITY.md": "security.md",
};

/** Reads every page that the site takes from the repository. */
export function readPages(): Page[] {
  return [
    ...Object.entries(atRoot),
    ...inFolder("docs", ""),
    ...inFolder("docs/decisions", "decisions/"),
    ...packages.map(({ folder }) => [`packages/${folder}/README.md`, `reference/${folder}/index.md`] as const),
  ]
    .filter(([source]) => existsSync(join(root, source)))
    .map(([source, target]) => {
      const text = read(source);
      return { source, target, text, title: titleOf(source, text) };
    });
}

function inFolder(folder: string, to: string): [source: string, target: string][] {
  return readdirSync(join(root, folder))
    .filter((name) => name.endsWith(".md"))
    .map((name) => [`${folder}/${name}`, `${to}${name === "README.md" ? "index.md" : name}`]);
}

function titleOf(source: string, text: string): string {
  const [, title] = /^# (.+)$/m.exec(text) ?? [];
  if (title === undefined) throw new Error(`Expected ${source} to have a heading: begin it with "# " and its title`);
  return title.replaceAll("`", "");
}

/** Returns the anchor that GitHub gives a heading, so that the same links work there and on the site. */
export function slug(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(/\s/g, "-");
}
