import { MemoryBackend } from "@ratelimit/backend-memory";
import { RedisBackend, type RedisBackendOptions } from "@ratelimit/backend-redis";
import type { Backend } from "@ratelimit/core";

/** Where servers are that this process does not bring itself. */
export interface Servers {
  readonly redisUrl?: string | undefined;
  /** Some nodes of a Redis Cluster, each `host:port`. */
  readonly redisCluster?: readonly string[] | undefined;
}

/** What becomes of requests while Redis is out or slow; the backend's own defaults where it is silent. */
export type Outage = Pick<RedisBackendOptions, "onOutage" | "outage" | "timeout">;

/** A place to keep buckets. */
export interface BackendRow {
  readonly name: string;
  /** Whether applications that open it apart share their buckets. */
  readonly shared: boolean;
  /** What has to be set for it. */
  readonly needs?: string;
  /** Opens it, for one application; `undefined` where nothing says where it is. */
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
