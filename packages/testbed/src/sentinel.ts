import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Address, field, withClient } from "./client.ts";
import type { NetworkNamespace } from "./namespace.ts";
import { binding, COMMON, type Recipe, type RedisServer, startServer, startServers, stopServers } from "./server.ts";
import { until } from "./until.ts";

export interface SentinelOptions {
  replicas?: number;
  sentinels?: number;
  /** Additional arguments for the master and its replicas. */
  args?: readonly string[];
  /** The network of the master, and that of all the other servers. */
  namespaces?: readonly [master: NetworkNamespace, others: NetworkNamespace];
}

export interface SentinelGroup extends AsyncDisposable {
  /** The name by which the sentinels know the master. */
  readonly name: string;
  /** The addresses of the sentinels. */
  readonly addresses: readonly Address[];
  /** The master at the start. */
  readonly master: RedisServer;
  readonly replicas: readonly RedisServer[];
  readonly sentinels: readonly RedisServer[];
  /** Returns the server that most of the sentinels that answer consider the master now. */
  currentMaster(): Promise<Address>;
  stop(): Promise<void>;
}

const NAME = "mymaster";

/** Starts a master, its replicas, and sentinels that watch them. They replace a dead master in about 3 s. */
export async function startSentinel({ replicas = 1, sentinels = 3, args = [], namespaces }: SentinelOptions = {}): Promise<SentinelGroup> {
  const [island, mainland] = namespaces ?? [];
  const servers: RedisServer[] = [];
  const stop = (): Promise<void> => stopServers(servers);
  const data = (namespace: NetworkNamespace | undefined, ...more: string[]): Recipe => ({
    args: ({ port }) => ["--port", String(port), ...binding(namespace), ...COMMON, ...more, ...args],
    namespace,
  });
  try {
    const master = await startServer(data(island));
    servers.push(master);
    const follow = ["--replicaof", `${master.host} ${master.port}`];
    const followers = await startServers(Array.from({ length: replicas }, () => data(mainland, ...follow)));
    servers.push(...followers);
    await until("the replicas to follow the master", async () => {
      const replication = await withClient(master.address, (client) => client.info("replication"));
      return replication.match(/state=online/g)?.length === replicas;
    });
    const watchers = await startServers(Array.from({ length: sentinels }, () => sentinelOf(master, sentinels, mainland)));
    servers.push(...watchers);
    await until(
      "the sentinels to meet",
      async () => {
        await introduce(master, watchers);
        const answers = await Promise.all(watchers.map((watcher) => agrees(watcher, replicas, sentinels)));
        return answers.every(Boolean);
      },
      { every: 50 },
    );

    return {
      name: NAME,
      addresses: watchers.map((watcher) => watcher.address),
      master,
      replicas: followers,
      sentinels: watchers,
      currentMaster: () => currentMaster(watchers),
      stop,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function sentinelOf(master: RedisServer, sentinels: number, namespace: NetworkNamespace | undefined): Recipe {
  return {
    namespace,
    sentinel: true,
    args: async ({ dir, port }) => {
      const config = [
        `port ${port}`,
        `sentinel monitor ${NAME} ${master.host} ${master.port} ${Math.floor(sentinels / 2) + 1}`,
        `sentinel down-after-milliseconds ${NAME} 1000`,
        `sentinel failover-timeout ${NAME} 5000`,
      ];
      const path = join(dir, "sentinel.conf"); // the sentinel keeps rewriting it
      await writeFile(path, `${config.join("\n")}\n`);
      return [path, "--sentinel", ...binding(namespace)];
    },
  };
}

/**
 * Publishes the messages with which sentinels discover each other, so that the test does not wait for them: each sentinel
 * publishes one on a channel of the master only every two seconds.
 */
async function introduce(master: RedisServer, watchers: readonly RedisServer[]): Promise<void> {
  const ids = await Promise.all(watchers.map((w) => withClient(w.address, (client) => client.call("SENTINEL", "MYID"))));
  await withClient(master.address, async (client) => {
    for (const [i, { host, port }] of watchers.entries()) {
      const hello = [host, port, ids[i], 0, NAME, master.host, master.port, 0];
      await client.publish("__sentinel__:hello", hello.join(","));
    }
  });
}

/** Whether this sentinel sees a running master, all its replicas, and all the other sentinels. */
async function agrees(watcher: RedisServer, replicas: number, sentinels: number): Promise<boolean> {
  const info = await withClient(watcher.address, (client) => client.info("sentinel"));
  return (
    field(info, "sentinel_masters") === "1" &&
    (field(info, "master0") ?? "").includes("status=ok") &&
    (field(info, "master0") ?? "").endsWith(`slaves=${replicas},sentinels=${sentinels}`)
  );
}

async function currentMaster(watchers: readonly RedisServer[]): Promise<Address> {
  const answers = await Promise.allSettled(
    watchers.map((watcher) => withClient(watcher.address, (client) => client.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME))),
  );
  const votes = new Map<string, number>();
  for (const answer of answers) {
    if (answer.status === "rejected") continue;
    const address = (answer.value as [string, string]).join(" ");
    votes.set(address, (votes.get(address) ?? 0) + 1);
  }
  const [first] = [...votes].sort(([, a], [, b]) => b - a);
  if (first === undefined) throw new Error("No sentinel answers.");
  const [host, port] = first[0].split(" ") as [string, string];
  return { host, port: Number(port) };
}
