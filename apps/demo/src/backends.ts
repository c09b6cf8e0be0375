import { MemoryBackend } from "@ratelimit/backend-memory";
import { RedisBackend, type RedisBackendOptions } from "@ratelimit/backend-redis";
import type { Backend } from "@ratelimit/core";

/** The servers that the backends connect to. */
export interface Servers {
  readonly redisUrl?: string | undefined;
  /** Some nodes of a Redis Cluster, each `host:port`. */
  readonly redisCluster?: readonly string[] | undefined;
}

/** How a Redis backend handles outages. */
export type Outage = Pick<RedisBackendOptions, "instances" | "onOutage" | "outage" | "timeout">;

/** A backend that the demo can run on. */
export interface BackendRow {
  readonly name: string;
  /** Whether applications with separate instances share their buckets. */
  readonly shared: boolean;
  /** The environment variable that it needs. */
  readonly needs?: string;
  /** Creates an instance for one application, or returns `undefined` if its address is not set. */
  readonly open: (servers: Servers, outage: Outage) => Backend | undefined;
}

export const backends: readonly BackendRow[] = [
  { name: "memory", shared: false, open: () => new MemoryBackend() },
  {
    name: "Redis",
    shared: true,
    needs: "RATELIMIT_REDIS_URL",
    open: ({ redisUrl }, outage) => (redisUrl === undefined ? undefined : new RedisBackend({ url: redisUrl, ...outage })),
  },
  {
    name: "Redis Cluster",
    shared: true,
    needs: "REDIS_CLUSTER",
    open: ({ redisCluster }, outage) => (redisCluster === undefined ? undefined : new RedisBackend({ cluster: redisCluster, ...outage })),
  },
];
