import { Command } from "commander";
import { peek } from "../redis/limiter.ts";
import { bucketsOfKey } from "../redis/scan.ts";
import { parseLimits } from "../replay/policy-text.ts";
import { type BucketView, terminalBuckets, viewOf } from "../report/buckets.ts";
import { clientKey } from "./client-key.ts";
import { collected, print, printJson } from "./output.ts";
import { type LiveOptions, talksToRedis, withRedis } from "./redis-options.ts";

interface InspectOptions extends LiveOptions {
  readonly limit?: readonly string[];
  readonly burst?: string;
  readonly json?: true;
}

export function inspectCommand(): Command {
  return talksToRedis(new Command("inspect").description("shows the buckets of a key in a live Redis, and changes nothing"))
    .argument("<key>", "the key as the program passes it, such as ip:203.0.113.9 or user:123", clientKey)
    .option("--name <limiter>", "only this limiter; without it, all buckets are searched")
    .option("--limit <limit>", "the limit of the limiter, to show what is left: 100/1m:150", collected)
    .option("--burst <tokens>", "the burst of the --limit")
    .option("--json", "print JSON")
    .action(inspect);
}

async function inspect(key: string, { prefix, name, limit, burst, json, ...redis }: InspectOptions): Promise<void> {
  const policy = limit === undefined ? undefined : parseLimits(limit, burst).policy;
  const views = await withRedis(redis, async ({ client, backend }): Promise<BucketView[]> => {
    const found = await bucketsOfKey(client, prefix, key, name);
    return Promise.all(
      found.map(async (one) => viewOf(one, policy && (await peek(backend, prefix, one, one.bucket, policy)), policy !== undefined)),
    );
  });
  if (json) await printJson(views);
  else if (views.length === 0)
    await print(`No bucket${name === undefined ? "" : ` of ${name}`} for this key: nothing is used, and it is not blocked.\n`);
  else await print(terminalBuckets(views));
}
