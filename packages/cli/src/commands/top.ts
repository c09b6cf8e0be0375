import { Command } from "commander";
import { Fullest } from "../redis/fullest.ts";
import { peek } from "../redis/limiter.ts";
import { findBuckets } from "../redis/scan.ts";
import { bucketPattern } from "../redis/stored-key.ts";
import { parseLimits } from "../replay/policy-text.ts";
import { terminalBuckets, viewOf } from "../report/buckets.ts";
import { counted } from "../report/wording.ts";
import { collected, positiveInteger, print, printJson } from "./output.ts";
import { type LiveOptions, talksToRedis, withRedis } from "./redis-options.ts";

interface TopOptions extends LiveOptions {
  readonly limit?: readonly string[];
  readonly burst?: string;
  readonly top: number;
  readonly json?: true;
}

export function topCommand(): Command {
  return talksToRedis(
    new Command("top").description("lists the buckets of a live Redis that take longest to be full again, and changes nothing"),
  )
    .option("--name <limiter>", "only this limiter")
    .option("--limit <limit>", "the limit of the limiter, to show what is left: 100/1m:150", collected)
    .option("--burst <tokens>", "the burst of the --limit")
    .option("--top <buckets>", "how many buckets to list", positiveInteger("--top", 10_000), 10)
    .option("--json", "print JSON")
    .action(top);
}

async function top({ prefix, name, limit, burst, top: size, json, ...redis }: TopOptions): Promise<void> {
  const policy = limit === undefined ? undefined : parseLimits(limit, burst).policy;
  const { total, blocked, views } = await withRedis(redis, async ({ client, backend }) => {
    const fullest = new Fullest(size);
    for await (const buckets of findBuckets(client, prefix, bucketPattern(prefix, name))) for (const one of buckets) fullest.add(one);
    const views = await Promise.all(
      fullest.list.map(async (one) => viewOf(one, policy && (await peek(backend, prefix, one, one.bucket, policy)), policy !== undefined)),
    );
    return { total: fullest.total, blocked: fullest.blocked, views };
  });
  if (json) await printJson({ buckets: total, blocked, top: views });
  else if (total === 0) await print("No buckets: nobody has used anything.\n");
  else await print(`${counted(total, "bucket")}, ${blocked} blocked\n\n${terminalBuckets(views)}`);
}
