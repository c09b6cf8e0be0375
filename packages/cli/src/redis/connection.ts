import { RedisBackend, safeClusterOptions, safeRedisOptions } from "@ratelimit/backend-redis";
import { RateLimitError, redisUrlRule } from "@ratelimit/core/backend";
import { Cluster, Redis } from "ioredis";
import { Failure, reasonOf } from "../failure.ts";

/** How to reach Redis. */
export interface RedisOptions {
  readonly url?: string | undefined;
  readonly cluster?: string | undefined;
}

/** An open connection. */
export interface OpenRedis {
  readonly client: Redis | Cluster;
  /** Fails instead of deciding by itself when Redis does not answer. */
  readonly backend: RedisBackend;
}

const standardUrl = "redis://localhost:6379";

/** A person waits longer than a request may. */
const patience = { commandTimeout: 5000 } as const;

/**
 * Opens Redis for one command, and closes it after.
 * @throws {Failure} if Redis cannot be reached or refuses. No message shows a password.
 */
export async function withRedis<T>(options: RedisOptions, use: (redis: OpenRedis) => Promise<T>): Promise<T> {
  const { client, name } = clientOf(options);
  let lastError: Error | undefined;
  client.on("error", (error: Error) => {
    lastError = error;
  });
  // The error is reported, so a warning of the outage would only repeat it.
  const backend = new RedisBackend({ client, outage: "throw", onOutage: () => {}, timeout: "5s", denyCache: false });
  try {
    await client.connect().catch((error: unknown) => {
      throw new Failure(`Cannot reach Redis at ${name}: ${reasonOf(lastError ?? error)}`, { cause: error });
    });
    // ioredis goes on without what Redis refused when it connected, such as the database of the URL.
    const refused = replyOf(lastError);
    if (refused !== undefined) throw refused;
    return await use({ client, backend });
  } catch (error) {
    const reply = replyOf(error);
    throw reply === undefined ? error : new Failure(`Redis at ${name} refuses: ${reply.message}`, { cause: error });
  } finally {
    await backend.close();
    client.disconnect();
  }
}

function clientOf({ url = process.env["RATELIMIT_REDIS_URL"] ?? standardUrl, cluster }: RedisOptions): {
  client: Redis | Cluster;
  name: string;
} {
  const retryStrategy = (): null => null;
  if (cluster !== undefined) {
    const nodes = cluster.split(",").map((node) => `redis://${node.trim()}`);
    for (const node of nodes) checkUrl("--cluster", node);
    const options = {
      ...safeClusterOptions,
      lazyConnect: true,
      clusterRetryStrategy: retryStrategy,
      redisOptions: { ...safeClusterOptions.redisOptions, ...patience },
    };
    return { client: new Cluster(nodes, options), name: nodes.map(masked).join(", ") };
  }
  checkUrl("--url", url);
  return { client: new Redis(url, { ...safeRedisOptions, ...patience, lazyConnect: true, retryStrategy }), name: masked(url) };
}

function checkUrl(option: string, url: string): void {
  if (redisUrlRule.accepts(url)) return;
  throw new Failure(`Expected \`${option}\` to be ${redisUrlRule.expects}, got ${JSON.stringify(masked(url))}: ${redisUrlRule.hint}`);
}

function masked(url: string): string {
  return String(redisUrlRule.mask?.(url));
}

/** The error with which Redis has answered, such as NOPERM; `undefined` for any other error. A backend wraps it. */
function replyOf(error: unknown): Error | undefined {
  const found = error instanceof RateLimitError && error.keyOnly !== true ? error.cause : error;
  return found instanceof Error && found.name === "ReplyError" ? found : undefined;
}
