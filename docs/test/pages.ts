import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

/** The root of the repository. */
export const root: string = normalize(join(import.meta.dirname, "../.."));

/** A fenced block of a page. */
export interface Block {
  readonly language: string;
  /** The rest of its info string: `continue`, `no-run: why`, or the name of a table. */
  readonly info: string;
  /** The line number of its first line, counted from 1. */
  readonly line: number;
  readonly lines: readonly string[];
  /** Whether readers do not see it. A hidden block declares what a program needs but the page does not show. */
  readonly hidden: boolean;
}

/** The blocks under one second-level heading, or before the first. */
export interface Section {
  readonly heading: string;
  readonly blocks: readonly Block[];
}

export interface Page {
  /** Relative to the root of the repository. */
  readonly path: string;
  readonly text: string;
  readonly headings: readonly string[];
  /** The targets of its links. */
  readonly links: readonly string[];
  readonly sections: readonly Section[];
}

/** Pages whose blocks another test runs, because they belong together and need their own server. */
const triedElsewhere: readonly string[] = [
  "docs/state.md",
  "docs/cli.md",
  "docs/scaling.md",
  "packages/cli/README.md",
  "docs/writing-a-backend.md",
  "docs/writing-an-adapter.md",
];

/** Every page of the repository. */
export const pages: readonly Page[] = [
  ...pagesIn("."),
  ...pagesIn("docs"),
  ...pagesIn("docs/decisions"),
  ...["packages", "apps"].flatMap((folder) => namesIn(folder).map((name) => `${folder}/${name}/README.md`)),
]
  .filter((path) => existsSync(join(root, path)))
  .map(readPage);

/** The pages whose blocks `programs.test.ts` tries. */
export const triedPages: readonly Page[] = pages.filter(({ path }) => !triedElsewhere.includes(path) && !isPrivate(path));

function namesIn(folder: string): string[] {
  return readdirSync(join(root, folder)).sort();
}

function pagesIn(folder: string): string[] {
  return namesIn(folder)
    .filter((name) => name.endsWith(".md"))
    .map((name) => join(folder, name));
}

function isPrivate(path: string): boolean {
  if (!/^(packages|apps)\//.test(path)) return false;
  return (JSON.parse(readFileSync(join(root, dirname(path), "package.json"), "utf8")) as { private?: boolean }).private === true;
}

function readPage(path: string): Page {
  const text = readFileSync(join(root, path), "utf8");
  const sections: { heading: string; blocks: Block[] }[] = [{ heading: "", blocks: [] }];
  const headings: string[] = [];
  const prose: string[] = [];
  const keep = (block: Block): void => {
    sections.at(-1)?.blocks.push(block);
  };
  let open: (Block & { readonly lines: string[]; readonly end: string }) | undefined;

  for (const [i, line] of text.split("\n").entries()) {
    if (open !== undefined) {
      if (line === open.end) {
        keep(open);
        open = undefined;
      } else open.lines.push(line);
      continue;
    }
    const [, fence, language = "", info = ""] = /^(```+|<!-- (?=setup))(\w*)[ \t]*(.*)$/.exec(line) ?? [];
    const block = { language, info, line: i + 2, lines: [], hidden: language === "setup" };
    if (fence !== undefined && info === "-->") keep(block);
    else if (fence !== undefined) open = { ...block, end: block.hidden ? "-->" : fence };
    else {
      const [, marks, heading = ""] = /^(#+) (.*)$/.exec(line) ?? [];
      if (marks !== undefined) headings.push(heading);
      if (marks === "##") sections.push({ heading, blocks: [] });
      prose.push(line.replaceAll(/`[^`]*`/g, ""));
    }
  }
  if (open !== undefined) throw new Error(`${path}:${open.line - 1} opens a block that does not end`);
  const links = [...prose.join("\n").matchAll(/\[[^\]]*\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target);
  return { path, text, headings, links, sections };
}
