export { type RedisClient, safeClusterOptions, safeRedisOptions } from "./client.ts";
export type { ClientOptions, ClusterBackendOptions, RedisBackendOptions, SentinelBackendOptions, UrlOptions } from "./options.ts";
export { RedisBackend } from "./redis-backend.ts";
