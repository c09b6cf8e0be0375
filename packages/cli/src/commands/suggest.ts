import { Command } from "commander";
import { Failure } from "../failure.ts";
import type { LogOptions } from "../logs/format.ts";
import { Ladder } from "../replay/ladder.ts";
import { durationMs } from "../replay/policy-text.ts";
import { suggestionOf, terminalSuggestion } from "../report/suggestion.ts";
import { readsLogs, replayLogs } from "./log-options.ts";
import { print, printJson, terminal } from "./output.ts";

interface SuggestOptions extends LogOptions {
  readonly refuse: number;
  readonly period: string;
  readonly json?: true;
}

export function suggestCommand(): Command {
  return readsLogs(new Command("suggest").description("proposes the lowest limit that refuses at most a given share of a log's clients"))
    .option("--refuse <percent>", "how many of the clients may be refused at least once, in percent", percent, 1)
    .option("--period <duration>", "the period of the limit, such as 1s, 1m or 1h", "1m")
    .option("--json", "print the proposal as JSON")
    .action(suggest);
}

async function suggest(files: string[], options: SuggestOptions): Promise<void> {
  const { period, refuse } = options;
  const ladder = new Ladder(`${durationMs("--period", period)}ms`);
  const reading = await replayLogs(files, options, ladder);
  const suggestion = suggestionOf({ files, key: options.key, period, refuse }, reading, ladder);
  if (options.json) await printJson(suggestion);
  else await print(terminalSuggestion(suggestion, terminal()));
}

function percent(text: string): number {
  const value = Number(text.replace(/%$/, ""));
  if (/^\d+(\.\d+)?%?$/.test(text) && value <= 100) return value;
  throw new Failure(`Expected \`--refuse\` to be a percentage from 0 to 100, got ${JSON.stringify(text)}: write for example --refuse 1`);
}
