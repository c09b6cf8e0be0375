import { Command } from "commander";
import { withLimiter } from "../redis/limiter.ts";
import { durationOf } from "../replay/policy-text.ts";
import { clientKey } from "./client-key.ts";
import { print } from "./output.ts";
import { type LiveOptions, talksToRedis, withRedis } from "./redis-options.ts";

export function blockCommand(): Command {
  return talksToRedis(new Command("block").description("refuses every call for a key for a while, in all processes that share the Redis"))
    .argument("<key>", "the key as the program passes it, such as user:123", clientKey)
    .argument("<duration>", "seconds, or with a unit: 90s, 10m, 2h, 7d")
    .requiredOption("--name <limiter>", "the name of the limiter")
    .action(block);
}

async function block(key: string, text: string, { prefix, name, ...redis }: LiveOptions & { readonly name: string }): Promise<void> {
  const duration = durationOf(text);
  await withRedis(redis, ({ backend }) => withLimiter({ backend, prefix, name }, (limiter) => limiter.block(key, duration)));
  await print(
    `Blocked for ${typeof duration === "number" ? `${duration} s` : duration}. To lift it: ratelimit reset, with the same key and --name\n`,
  );
}
