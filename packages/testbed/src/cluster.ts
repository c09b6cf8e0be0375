import type { Redis } from "ioredis";
import { type Address, field, withClient } from "./client.ts";
import type { NetworkNamespace } from "./namespace.ts";
import { binding, COMMON, type Recipe, type RedisServer, startServers, stopServers } from "./server.ts";
import { until } from "./until.ts";

const SLOTS = 16_384;

export interface ClusterOptions {
  masters?: number;
  /** How many replicas in total. Replica i follows master i modulo `masters`. */
  replicas?: number;
  /** Additional arguments for every node, such as `["--cluster-require-full-coverage", "no"]`. */
  args?: readonly string[];
  /** The network of the first master, and that of all the other nodes. */
  namespaces?: readonly [first: NetworkNamespace, others: NetworkNamespace];
}

export interface RedisCluster extends AsyncDisposable {
  readonly addresses: readonly Address[];
  /** The masters at the start, which share the slots evenly in this order. A failover does not change these lists. */
  readonly masters: readonly RedisServer[];
  readonly replicas: readonly RedisServer[];
  stop(): Promise<void>;
}

/** Starts a Redis Cluster, and resolves when every node is ready and every replica is in sync. Replaces a dead master in about 3 s. */
export async function startCluster({ masters = 3, replicas = 3, args = [], namespaces }: ClusterOptions = {}): Promise<RedisCluster> {
  const recipe = (namespace: NetworkNamespace | undefined): Recipe => ({
    namespace,
    args: (place) => [
      ...["--port", String(place.port)],
      ...["--cluster-enabled", "yes"],
      ...["--cluster-port", String(place.secondPort)],
      ...["--cluster-node-timeout", "1500"],
      ...binding(namespace),
      ...COMMON,
      ...args,
    ],
  });
  const nodes = Array.from({ length: masters + replicas }, (_, i) => recipe(namespaces?.[Math.min(i, 1)]));
  const servers = await startServers(nodes);
  const stop = (): Promise<void> => stopServers(servers);
  try {
    await withClients(servers, (clients) => join(servers, clients, masters));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    addresses: servers.map((server) => server.address),
    masters: servers.slice(0, masters),
    replicas: servers.slice(masters),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

async function join(servers: readonly RedisServer[], clients: readonly Redis[], masters: number): Promise<void> {
  const first = clients[0]!;
  await Promise.all(
    clients.map(async (client, i) => {
      await client.call("CLUSTER", "SET-CONFIG-EPOCH", i + 1);
      if (i >= masters) return;
      const [from, to] = [i, i + 1].map((n) => Math.round((n * SLOTS) / masters)) as [number, number];
      await client.call("CLUSTER", "ADDSLOTSRANGE", from, to - 1);
    }),
  );
  for (const { host, port, secondPort } of servers.slice(1)) {
    await first.call("CLUSTER", "MEET", host, port, secondPort);
  }

  const ids = (await Promise.all(clients.map((client) => client.call("CLUSTER", "MYID")))) as string[];
  await Promise.all(
    clients.slice(masters).map((client, i) =>
      until("a cluster node to know its master", async () => {
        await client.call("CLUSTER", "REPLICATE", ids[i % masters]!); // fails until the nodes have met
        return true;
      }),
    ),
  );
  await Promise.all(clients.map((client) => until("a cluster node to be ready", () => isReady(client, clients.length, masters))));
  // The file that Valkey 8.0 and Redis 7.2 wrote before this moment may keep them from restarting.
  await Promise.all(clients.map((client) => client.call("CLUSTER", "SAVECONFIG")));
}

async function isReady(client: Redis, size: number, masters: number): Promise<boolean> {
  const info = String(await client.call("CLUSTER", "INFO"));
  if (field(info, "cluster_state") !== "ok" || field(info, "cluster_slots_ok") !== String(SLOTS)) return false;

  const nodes = String(await client.call("CLUSTER", "NODES"))
    .trim()
    .split("\n");
  const flags = nodes.map((node) => node.split(" ")[2]!.replace("myself,", ""));
  if (flags.length !== size || flags.filter((flag) => flag === "slave").length !== size - masters) return false;
  if (!flags.every((flag) => flag === "slave" || flag === "master")) return false;

  const shards = (await client.call("CLUSTER", "SHARDS")) as unknown[];
  if (shards.length !== masters) return false; // a replica has not joined its master's shard yet

  const replication = await client.info("replication");
  return field(replication, "role") === "master" || field(replication, "master_link_status") === "up";
}

async function withClients(
  servers: readonly RedisServer[],
  use: (clients: readonly Redis[]) => Promise<void>,
  clients: readonly Redis[] = [],
): Promise<void> {
  const next = servers[clients.length];
  if (next === undefined) await use(clients);
  else await withClient(next.address, (client) => withClients(servers, use, [...clients, client]));
}
