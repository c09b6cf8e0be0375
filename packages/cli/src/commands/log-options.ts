import { type Command, Option } from "commander";
import type { Entry } from "../logs/entry.ts";
import { checkFormat, type LogOptions } from "../logs/format.ts";
import { merged } from "../logs/merge.ts";
import { openLogs } from "../logs/open.ts";
import { entriesOf, Reading } from "../logs/source.ts";
import { progressBar } from "../report/progress.ts";

/** Adds the arguments and options of every command that reads logs. */
export function readsLogs(command: Command): Command {
  return command
    .argument("<files...>", "logs, plain or gzipped, in any order; - is standard input")
    .addOption(
      new Option("--key <source>", "what identifies a client: ip, user, header:NAME or json:PATH, such as json:user.id").default("ip"),
    )
    .addOption(
      new Option(
        "--format <format>",
        "common, combined, nginx, json, or a log_format of nginx such as '$remote_addr [$time_local]'",
      ).default("auto", "detected from the first lines"),
    )
    .option("--time <path>", "the field of the time in a JSON log, if it has an unusual name");
}

/** Reads all logs into a replay, in the order of time. */
export async function replayLogs(
  files: readonly string[],
  options: LogOptions,
  replay: { add(entry: Entry): void; close(): void },
): Promise<Reading> {
  checkFormat(options);
  const logs = await openLogs(files);
  const reading = new Reading();
  const sizes = logs.map(({ size }) => size);
  const progress = progressBar(sizes.includes(undefined) ? undefined : sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0));
  try {
    for await (const entries of merged(logs.map((log) => entriesOf(log, options, reading)))) {
      for (const entry of entries) replay.add(entry);
      progress.update(reading);
    }
  } finally {
    progress.stop();
    replay.close();
  }
  return reading;
}
