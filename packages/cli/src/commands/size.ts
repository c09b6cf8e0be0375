import { Command } from "commander";
import { Failure } from "../failure.ts";
import { durationMs, parsePolicy } from "../replay/policy-text.ts";
import { sizingOf, terminalSizing } from "../report/sizing.ts";
import { readCosts } from "../size/costs-file.ts";
import { measuredCosts } from "../size/measured.ts";
import { collected, numberFrom, positiveInteger, print, printJson, terminal } from "./output.ts";

interface SizeOptions {
  readonly rps: number;
  readonly keys: number;
  readonly limit: readonly string[];
  readonly processes?: number;
  readonly keyLength: number;
  readonly hottest: number;
  readonly lease?: string;
  readonly perWrite: number;
  readonly memory: number;
  readonly network: number;
  readonly costs?: string;
  readonly json?: true;
}

/** How many decisions a second each process makes, if the number of processes is not given. */
const usualPerProcess = 1000;

export function sizeCommand(): Command {
  return new Command("size")
    .description("calculates what a load needs of Redis, and what would fail first")
    .requiredOption("--rps <decisions>", "decisions per second at the busiest time", positiveInteger("--rps", 1_000_000_000))
    .requiredOption("--keys <keys>", "how many different keys they are for", positiveInteger("--keys", 1_000_000_000_000))
    .requiredOption("--limit <limit>", "the limit of a key, such as 100/1m; several make one policy", collected)
    .option(
      "--processes <processes>",
      "how many processes decide; without it, one for each 1,000 decisions",
      positiveInteger("--processes", 1_000_000),
    )
    .option("--hottest <share>", "the share of the decisions that are for the busiest key, such as 0.1 or 10%", share, 0)
    .option("--lease <duration>", "the lease of the limiter, such as 200ms")
    .option(
      "--key-length <characters>",
      "the length of a stored key, with its prefix and the limiter's name",
      positiveInteger("--key-length", 10_000),
      32,
    )
    .option("--per-write <checks>", "how many checks a process sends to a master in one write", numberFrom("--per-write", 1, 1000), 1)
    .option("--memory <GB>", "the memory of a master", numberFrom("--memory", 0.001, 100_000), 8)
    .option("--network <Gbit/s>", "the network of a master", numberFrom("--network", 0.001, 100_000), 1)
    .option("--costs <file>", "the scale.costs.json that bench scale has written on another machine")
    .option("--json", "print JSON")
    .action(size);
}

async function size(options: SizeOptions): Promise<void> {
  const { rps, keys, keyLength, hottest, lease, perWrite, memory, network } = options;
  const text = options.limit.join("+");
  const { limits } = parsePolicy("--limit", text).policy;
  if (limits.some(({ rate }) => rate === 0))
    throw new Failure(`Expected \`--limit\` to admit something, got ${text}: write for example --limit 100/1m`);
  const sizing = sizingOf(
    {
      rps,
      keys,
      limits,
      processes: options.processes ?? Math.ceil(rps / usualPerProcess),
      keyLength,
      hottest,
      leaseMs: lease === undefined ? undefined : durationMs("--lease", lease),
      checksPerWrite: perWrite,
    },
    { memoryBytes: memory * 1e9, networkBitsPerSecond: network * 1e9 },
    options.costs === undefined ? measuredCosts : await readCosts(options.costs),
    text,
  );
  if (options.json) await printJson(sizing);
  else await print(terminalSizing(sizing, terminal()));
}

function share(text: string): number {
  const value = text.endsWith("%") ? Number(text.slice(0, -1)) / 100 : Number(text);
  if (/^\d+(\.\d+)?%?$/.test(text) && value <= 1) return value;
  throw new Failure(`Expected \`--hottest\` to be a share from 0 to 1, got ${JSON.stringify(text)}: write for example --hottest 0.1`);
}
