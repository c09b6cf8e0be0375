import { writeFile } from "node:fs/promises";
import { Command } from "commander";
import { Failure, reasonOf } from "../failure.ts";
import type { LogOptions } from "../logs/format.ts";
import { parseLimits, parsePolicy, type WrittenPolicy } from "../replay/policy-text.ts";
import { Replay } from "../replay/replay.ts";
import { type Report, reportOf } from "../report/report.ts";
import { terminalReport } from "../report/terminal.ts";
import { readsLogs, replayLogs } from "./log-options.ts";
import { collected, positiveInteger, print, printJson, terminal } from "./output.ts";

/** The options of `replay`. */
export interface ReplayOptions extends LogOptions {
  readonly limit?: readonly string[];
  readonly burst?: string;
  readonly block?: string;
  readonly compare?: readonly string[];
  readonly top: number;
  readonly json?: true;
  readonly html?: string;
}

export function replayCommand(): Command {
  return readsLogs(new Command("replay").description("reports which requests of a log a limit would have refused"))
    .option(
      "--limit <limit>",
      "RATE/PERIOD[:BURST], such as 100/1m:150; several make one policy, which admits what all of them admit",
      collected,
    )
    .option("--burst <tokens>", "the burst of the --limit")
    .option("--block <duration>", "how long a refused client stays blocked: seconds, or with a unit, such as 10m")
    .option("--compare <policies>", "more policies to replay in the same pass, such as 200/1m,300/1m:500; + joins limits", listed)
    .option("--top <clients>", "how many of the most refused clients to list", positiveInteger("--top", 10_000), 10)
    .option("--json", "print the report as JSON")
    .option("--html <file>", "also write the report as an HTML page")
    .action(replay);
}

async function replay(files: string[], options: ReplayOptions): Promise<void> {
  const report = await replayReport(files, options);
  if (options.html !== undefined) {
    const { htmlReport } = await import("../report/html.ts");
    await write(options.html, htmlReport(report));
  }
  if (options.json) await printJson(report);
  else await print(terminalReport(report, terminal()));
}

/** Replays logs and reports on every policy. */
export async function replayReport(files: readonly string[], options: ReplayOptions): Promise<Report> {
  const policies = policiesOf(options);
  const run = new Replay(policies.map(({ policy }) => policy));
  const reading = await replayLogs(files, options, run);
  return reportOf({ files, key: options.key, policies, top: options.top }, reading, run);
}

function policiesOf({ limit = [], burst, block, compare = [] }: ReplayOptions): WrittenPolicy[] {
  if (limit.length === 0 && (compare.length === 0 || burst !== undefined))
    throw new Failure("Expected `--limit` to be given: write for example --limit 100/1m");
  return [...(limit.length > 0 ? [parseLimits(limit, burst, block)] : []), ...compare.map((text) => parsePolicy("--compare", text, block))];
}

function listed(value: string, before: readonly string[] = []): string[] {
  return [...before, ...value.split(",")];
}

async function write(file: string, text: string): Promise<void> {
  await writeFile(file, text).catch((error: unknown) => {
    throw new Failure(`Cannot write ${file}: ${reasonOf(error)}`, { cause: error });
  });
}
