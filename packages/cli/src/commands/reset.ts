import { Command } from "commander";
import { withLimiter } from "../redis/limiter.ts";
import { clientKey } from "./client-key.ts";
import { print } from "./output.ts";
import { type LiveOptions, talksToRedis, withRedis } from "./redis-options.ts";

export function resetCommand(): Command {
  return talksToRedis(new Command("reset").description("fills the bucket of a key and lifts its block"))
    .argument("<key>", "the key as the program passes it, such as user:123", clientKey)
    .requiredOption("--name <limiter>", "the name of the limiter")
    .action(reset);
}

async function reset(key: string, { prefix, name, ...redis }: LiveOptions & { readonly name: string }): Promise<void> {
  await withRedis(redis, ({ backend }) => withLimiter({ backend, prefix, name }, (limiter) => limiter.reset(key)));
  await print("Reset: the bucket is full. Other processes notice within a second.\n");
}
