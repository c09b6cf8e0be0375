import { startCluster, startStandalone } from "@ratelimit/testbed";
import { Redis } from "ioredis";
import { cores, pin } from "../machine.ts";
import type { Address } from "../redis/subjects.ts";
import { keyLength, limiterName, prefixOf } from "./keys.ts";

/** Redis servers and a connection to each, to read what they spend. */
export interface Site extends AsyncDisposable {
  readonly addresses: readonly Address[];
  readonly cluster: boolean;
  readonly clients: readonly Redis[];
}

/** What all servers of a site have spent since they started. */
export interface Reading {
  readonly cpuUs: number;
  readonly scripts: number;
  readonly scriptUs: number;
  /** The number of times that the servers read from a connection. */
  readonly reads: number;
  readonly inBytes: number;
  readonly outBytes: number;
  /** How many of the next reading's `outBytes` were the replies to this reading. */
  readonly ownBytes: number;
  readonly memory: number;
}

/** A node that has met no other does not know its own address, and clients skip nodes without one. */
const announced = ["--cluster-announce-ip", "127.0.0.1"];

/** Starts a Cluster of `masters`, or one server that is not part of a Cluster, on a core of their own. */
export async function openSite(masters: number | "no Cluster"): Promise<Site> {
  const started = masters === "no Cluster" ? await startStandalone() : await startCluster({ masters, replicas: 0, args: announced });
  const servers = "server" in started ? [started.server] : started.masters;
  for (const { pid } of servers) pin(pid, cores.other);
  const addresses = servers.map(({ address }) => address);
  const clients = addresses.map((address) => new Redis(address));
  return {
    addresses,
    cluster: masters !== "no Cluster",
    clients,
    [Symbol.asyncDispose]: async () => {
      for (const client of clients) client.disconnect();
      await started.stop();
    },
  };
}

export async function read({ clients }: Site): Promise<Reading> {
  const infos = await Promise.all(clients.map((client) => client.info("everything")));
  const sum = (pattern: RegExp): number => infos.reduce((total, info) => total + Number(pattern.exec(info)?.[1] ?? 0), 0);
  return {
    cpuUs: 1e6 * (sum(/^used_cpu_user:([\d.]+)/m) + sum(/^used_cpu_sys:([\d.]+)/m)),
    scripts: sum(/^cmdstat_evalsha:calls=(\d+)/m),
    scriptUs: sum(/^cmdstat_evalsha:calls=\d+,usec=(\d+)/m),
    reads: sum(/^total_reads_processed:(\d+)/m),
    inBytes: sum(/^total_net_input_bytes:(\d+)/m),
    outBytes: sum(/^total_net_output_bytes:(\d+)/m),
    ownBytes: infos.reduce((total, info) => total + Buffer.byteLength(info), 0),
    memory: sum(/^used_memory:(\d+)/m),
  };
}

/** Writes `count` buckets, as a limiter of this bench writes them, with a time to live of about an hour. */
const fillScript = `
for i = tonumber(ARGV[1]), tonumber(ARGV[2]) - 1 do
  redis.call('SET', string.format(ARGV[3], i), ARGV[4], 'PX', 3600000 + i % 600000)
end`;

/** How many keys one script writes. It takes about 20 ms. */
const keysPerScript = 10_000;

/**
 * Stores `count` keys of `length` characters with this value in the first server of a site.
 * @returns the memory that each of them takes, in bytes.
 */
export async function fill(site: Site, { count, value, length = keyLength }: FillOptions): Promise<number> {
  const [client] = site.clients as [Redis];
  const before = await read(site);
  const start = `${prefixOf(0)}${limiterName(0)}:user:`;
  const format = `${start}${"x".repeat(length - keyLength)}%08d`;
  for (let from = 0; from < count; from += keysPerScript)
    await client.eval(fillScript, 0, from, Math.min(count, from + keysPerScript), format, value);
  return ((await read(site)).memory - before.memory) / count;
}

interface FillOptions {
  readonly count: number;
  readonly value: string;
  /** @defaultValue that of all other keys */
  readonly length?: number;
}
