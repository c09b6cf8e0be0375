import type { Block, Page, Section } from "./pages.ts";

/** One module that a reader would run. */
export interface Program {
  /** `README.md:12`. */
  readonly place: string;
  /** The text of the page from which all else is blanked out, so that a line of it is that line of the page. */
  readonly source: string;
  /** What `console.log(…); // this` says that it prints. */
  readonly prints: readonly string[];
  /** Why it is only type-checked. */
  readonly notRun: string | undefined;
}

/** The program that a block begins: with what the page last set up before it, and the blocks of its section that continue it. */
export function programOf(page: Page, { blocks }: Section, first: Block): Program {
  const all = page.sections.flatMap((section) => section.blocks);
  const setup = all.slice(0, all.indexOf(first)).findLast(({ language }) => language === "setup");
  const rest = blocks.slice(blocks.indexOf(first) + 1).filter(({ language }) => language === "ts");
  const end = rest.findIndex((block) => !continues(block));
  const shown = [first, ...rest.slice(0, end < 0 ? undefined : end)];
  const lines = Array<string>(page.text.split("\n").length).fill("");
  for (const block of [...(setup ? [setup] : []), ...shown])
    for (const [i, line] of block.lines.entries()) lines[block.line - 1 + i] = line;
  const printing = shown.flatMap((block) => block.lines).map((line) => /console\.log\(.*\)[;,]? \/\/ (.*)$/.exec(line)?.[1]);
  return {
    place: `${page.path}:${first.line}`,
    source: lines.join("\n"),
    prints: printing.filter((text) => text !== undefined),
    notRun: /^no-run: (.+)$/.exec(first.info)?.[1],
  };
}

/** Whether a block goes on where the one before it ended. */
export function continues({ info }: Block): boolean {
  return info === "continue";
}
