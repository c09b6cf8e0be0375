import { type RedisClient, safeClusterOptions, safeRedisOptions } from "@ratelimit/backend-redis";
import type { Address } from "@ratelimit/testbed";
import { GlideClient, GlideClusterClient, Logger } from "@valkey/valkey-glide";
import { Cluster, Redis } from "ioredis";
import { Cluster as Cluster5, Redis as Redis5 } from "ioredis5";
import { Redis as Valkey, Cluster as ValkeyCluster } from "iovalkey";
import * as nodeRedis from "redis";
import * as nodeRedis5 from "redis5";

/** A client as its user opened it, and how the user closes it. */
export interface Opened extends AsyncDisposable {
  readonly client: RedisClient;
}

type Open<T> = (where: T) => Promise<Opened>;

/** A library, and how its user opens a client of each kind with the settings that docs/redis.md recommends. */
export interface Library {
  readonly name: string;
  readonly standalone: Open<Address>;
  readonly cluster: Open<readonly Address[]>;
  /** Absent if the library does not know Sentinels. */
  readonly sentinel?: Open<Watched>;
}

interface Watched {
  readonly name: string;
  readonly addresses: readonly Address[];
  /** Where to find a server in fact, by the address that the Sentinels give for it. */
  readonly natMap?: Readonly<Record<string, { host: string; port: number }>>;
}

interface Disconnecting {
  disconnect(): void;
  on(event: "error", listener: () => void): unknown;
}

function likeIoredis<T extends RedisClient & Disconnecting>(client: T): Opened {
  // ioredis prints errors that have no listener.
  client.on("error", () => {});
  return { client, [Symbol.asyncDispose]: async () => client.disconnect() };
}

const ioredis: readonly Library[] = [
  {
    name: "ioredis 6",
    standalone: async (at) => likeIoredis(new Redis({ ...safeRedisOptions, ...at })),
    cluster: async (nodes) => likeIoredis(new Cluster([...nodes], safeClusterOptions)),
    sentinel: async ({ name, addresses, natMap = {} }) =>
      likeIoredis(new Redis({ ...safeRedisOptions, name, sentinels: [...addresses], natMap: { ...natMap } })),
  },
  {
    name: "ioredis 5",
    standalone: async (at) => likeIoredis(new Redis5({ ...safeRedisOptions, ...at })),
    cluster: async (nodes) => likeIoredis(new Cluster5([...nodes], safeClusterOptions)),
    sentinel: async ({ name, addresses, natMap = {} }) =>
      likeIoredis(new Redis5({ ...safeRedisOptions, name, sentinels: [...addresses], natMap: { ...natMap } })),
  },
  {
    name: "iovalkey",
    standalone: async (at) => likeIoredis(new Valkey({ ...safeRedisOptions, ...at })),
    cluster: async (nodes) => likeIoredis(new ValkeyCluster([...nodes], safeClusterOptions)),
    sentinel: async ({ name, addresses, natMap = {} }) =>
      likeIoredis(new Valkey({ ...safeRedisOptions, name, sentinels: [...addresses], natMap: { ...natMap } })),
  },
];

interface Destroyable {
  connect(): Promise<unknown>;
  destroy(): unknown;
  on(event: "error", listener: () => void): unknown;
}

async function likeNodeRedis<T extends RedisClient & Destroyable>(client: T): Promise<Opened> {
  client.on("error", () => {});
  await client.connect();
  return {
    client,
    async [Symbol.asyncDispose]() {
      // A client that has given up is closed already, and then throws.
      await Promise.resolve()
        .then(() => client.destroy())
        .catch(() => {});
    },
  };
}

/** The settings that docs/redis.md recommends for node-redis. */
export const nodeRedisOptions = {
  disableOfflineQueue: true,
  socket: { connectTimeout: 2000, reconnectStrategy: (retries: number): number => Math.min(50 * 2 ** retries, 500) },
} as const;

const byNodeRedis: readonly Library[] = [
  {
    name: "node-redis 6",
    standalone: ({ host, port }) =>
      likeNodeRedis(nodeRedis.createClient({ ...nodeRedisOptions, socket: { ...nodeRedisOptions.socket, host, port } })),
    cluster: (nodes) =>
      likeNodeRedis(
        nodeRedis.createCluster({ rootNodes: nodes.map((socket) => ({ socket: { ...socket } })), defaults: { ...nodeRedisOptions } }),
      ),
    sentinel: ({ name, addresses, natMap = {} }) =>
      likeNodeRedis(
        nodeRedis.createSentinel({
          name,
          sentinelRootNodes: addresses.map((at) => ({ ...at })),
          nodeClientOptions: { ...nodeRedisOptions },
          nodeAddressMap: { ...natMap },
        }),
      ),
  },
  {
    name: "node-redis 5",
    standalone: ({ host, port }) =>
      likeNodeRedis(nodeRedis5.createClient({ ...nodeRedisOptions, socket: { ...nodeRedisOptions.socket, host, port } })),
    cluster: (nodes) =>
      likeNodeRedis(
        nodeRedis5.createCluster({ rootNodes: nodes.map((socket) => ({ socket: { ...socket } })), defaults: { ...nodeRedisOptions } }),
      ),
    sentinel: ({ name, addresses, natMap = {} }) =>
      likeNodeRedis(
        nodeRedis5.createSentinel({
          name,
          sentinelRootNodes: addresses.map((at) => ({ ...at })),
          nodeClientOptions: { ...nodeRedisOptions },
          nodeAddressMap: { ...natMap },
        }),
      ),
  },
];

// GLIDE writes every error reply to the console.
Logger.setLoggerConfig("off");

function likeGlide(client: GlideClient | GlideClusterClient): Opened {
  return { client, [Symbol.asyncDispose]: async () => client.close() };
}

function glide(requestTimeout: number): Library {
  return {
    name: "Valkey GLIDE",
    standalone: async (at) => likeGlide(await GlideClient.createClient({ addresses: [at], requestTimeout })),
    cluster: async (nodes) => likeGlide(await GlideClusterClient.createClient({ addresses: [...nodes], requestTimeout })),
  };
}

/** Every library whose clients the backend takes. */
export const libraries: readonly Library[] = [...ioredis, ...byNodeRedis, glide(250)];

/** The same, for tests that do not check times: by default, GLIDE gives up after 250 ms, and a busy machine may take longer. */
export const patientLibraries: readonly Library[] = [...ioredis, ...byNodeRedis, glide(5000)];

/** The address in a URL. */
export function addressOf(url: string): Address {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port) };
}
