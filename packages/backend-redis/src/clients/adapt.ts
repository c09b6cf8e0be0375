import type { Client } from "./client.ts";
import { adaptGlide, type GlideClient, isGlide } from "./glide.ts";
import { adaptIoredis, type IoredisClient, isIoredis } from "./ioredis.ts";
import { type AnyNodeRedis, adaptNodeRedis, isNodeRedis } from "./node-redis.ts";

/** A client that you open and close yourself. It may come from any of the libraries that docs/redis.md lists. */
export type RedisClient = IoredisClient | AnyNodeRedis | GlideClient;

/** Returns the implementation for a client of the user's, and warns of its risky settings. */
export function adapt(client: RedisClient): Client {
  if (isIoredis(client)) return adaptIoredis(client);
  return isGlide(client) ? adaptGlide(client) : adaptNodeRedis(client);
}

/** Recognizes a client by its methods, because loading a library only to recognize its clients would require all of them. */
export function isClient(value: unknown): value is RedisClient {
  return typeof value === "object" && value !== null && [isIoredis, isNodeRedis, isGlide].some((is) => is(value));
}
