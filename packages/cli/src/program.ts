import { createRequire } from "node:module";
import { Command } from "commander";
import { blockCommand } from "./commands/block.ts";
import { inspectCommand } from "./commands/inspect.ts";
import { replayCommand } from "./commands/replay.ts";
import { resetCommand } from "./commands/reset.ts";
import { sizeCommand } from "./commands/size.ts";
import { suggestCommand } from "./commands/suggest.ts";
import { topCommand } from "./commands/top.ts";

const { version } = createRequire(import.meta.url)("@ratelimit/cli/package.json") as { version: string };

const commands = [replayCommand, suggestCommand, inspectCommand, topCommand, blockCommand, resetCommand, sizeCommand];

/** The command line of the tool. Each command is a file of the folder `commands`. */
export function createProgram(): Command {
  const program = new Command("ratelimit")
    .description(
      "Replays access logs against rate limits, looks into the buckets of a live Redis, and calculates the Redis that a load needs.",
    )
    .version(version);
  for (const create of commands) program.addCommand(create());
  for (const command of [program, ...program.commands]) command.exitOverride().configureOutput({ outputError: writeSentence });
  return program;
}

/** Writes an error of the command line in one line, like all others: "error: unknown option '--limt'\n(Did you mean --limit?)". */
function writeSentence(text: string, write: (text: string) => void): void {
  const sentence = text
    .replace(/^error: /, "")
    .trim()
    .replaceAll("\n", " ");
  write(`${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}\n`);
}
