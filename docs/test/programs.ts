import type { Block, Page, Section } from "./pages.ts";

/** A module that a reader would run. */
export interface Program {
  /** Where it begins, such as `README.md:12`. */
  readonly place: string;
  /** The page with all other lines blanked out, so that line numbers are those of the page. */
  readonly source: string;
  /** The output that its comments promise: `console.log(…); // this`. */
  readonly prints: readonly string[];
  /** The name of the file that other programs import it from, if the page tells readers to save it. */
  readonly file: string | undefined;
  /** The reason why it is only type-checked, if it is. */
  readonly notRun: string | undefined;
}

/** The compiler options of all programs. Vitest compiles them with these too, and needs them for the decorators of NestJS. */
export const compiler = {
  extends: "../../tsconfig.json",
  compilerOptions: {
    rootDir: "../../..",
    noUnusedLocals: false,
    noUnusedParameters: false,
    noPropertyAccessFromIndexSignature: false,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
  },
  include: ["."],
};

/** Returns the program that starts with a block: the last setup before it, the block, and the blocks of its section that continue it. */
export function programOf(page: Page, { blocks }: Section, first: Block): Program {
  const all = page.sections.flatMap((section) => section.blocks);
  const setup = all.slice(0, all.indexOf(first)).findLast(({ language }) => language === "setup");
  const rest = blocks.slice(blocks.indexOf(first) + 1).filter(({ language }) => language === "ts");
  const end = rest.findIndex((block) => !continues(block));
  const visible = [first, ...rest.slice(0, end < 0 ? undefined : end)];
  const lines = Array<string>(page.text.split("\n").length).fill("");
  for (const block of [...(setup ? [setup] : []), ...visible])
    for (const [i, line] of block.lines.entries()) lines[block.line - 1 + i] = line;
  const promised = visible.flatMap((block) => block.lines).map((line) => /console\.log\(.*\)[;,]? \/\/ (.*)$/.exec(line)?.[1]);
  return {
    place: `${page.path}:${first.line}`,
    source: lines.join("\n"),
    prints: promised.filter((output) => output !== undefined),
    file: /^file: ([\w-]+\.ts)$/.exec(first.info)?.[1],
    notRun: /^no-run: (.+)$/.exec(first.info)?.[1],
  };
}

/** Whether a block continues the program of the block before it. */
export function continues({ info }: Block): boolean {
  return info === "continue";
}
