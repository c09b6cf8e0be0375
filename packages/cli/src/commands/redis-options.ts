import { type Command, Option } from "commander";
import type { OpenRedis, RedisOptions } from "../redis/connection.ts";

/** Options of every command that talks to Redis. */
export interface LiveOptions extends RedisOptions {
  readonly prefix: string;
  readonly name?: string;
}

export function talksToRedis(command: Command): Command {
  return command
    .addOption(
      new Option("--url <url>", "redis://[user:password@]host[:port][/database]").default(
        undefined,
        "$RATELIMIT_REDIS_URL, or redis://localhost:6379",
      ),
    )
    .option("--cluster <nodes>", "some nodes of a Redis Cluster, as host:port,host:port")
    .option("--prefix <prefix>", "the keyPrefix of the limiters", "ratelimit:");
}

/** Opens Redis for one command. The client is loaded only here, because loading it takes longer than a short replay. */
export async function withRedis<T>(options: RedisOptions, use: (redis: OpenRedis) => Promise<T>): Promise<T> {
  const connection = await import("../redis/connection.ts");
  return connection.withRedis(options, use);
}
