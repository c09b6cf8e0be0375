import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { RedisBackend } from "@ratelimit/backend-redis";
import { type LimitOptions, RateLimiter } from "@ratelimit/core";
import { keyLength } from "./keys.ts";
import { fill, openSite, read, type Site } from "./site.ts";

/** The memory of stored keys and of connections, in bytes. */
export interface Memory {
  /** Of a key with one limit, by the length of the stored key in characters. */
  readonly byLength: ReadonlyMap<number, number>;
  readonly perExtraLimit: number;
  readonly perConnection: number;
  /** How many connections a process opens to each master. */
  readonly connectionsPerMaster: number;
}

const lengths = [keyLength, 64, 128] as const;
const mostLimits = 8;

/** Measures on servers of its own what Redis keeps for a key and for a connection. */
export async function measureMemory({ keys, connections }: { keys: number; connections: number }): Promise<Memory> {
  const [one, eight] = [await storedValue(1), await storedValue(mostLimits)];
  const byLength = new Map<number, number>();
  for (const length of lengths) byLength.set(length, await onFresh((site) => fill(site, { count: keys, value: one, length })));
  const withEight = await onFresh((site) => fill(site, { count: keys, value: eight }));
  return {
    byLength,
    perExtraLimit: (withEight - (byLength.get(keyLength) as number)) / (mostLimits - 1),
    perConnection: await onFresh((site) => connectionBytes(site, connections)),
    connectionsPerMaster: await connectionsPerMaster(),
  };
}

async function onFresh<T>(use: (site: Site) => Promise<T>): Promise<T> {
  await using site = await openSite(1);
  return await use(site);
}

/** What Redis stores for a bucket of a policy with this many limits, from which a token was taken. */
export async function storedValue(limits: number): Promise<string> {
  return onFresh(async (site) => {
    await using backend = new RedisBackend({ cluster: site.addresses, timeout: "5s", outage: "throw" });
    const policy = Array.from(
      { length: limits },
      (_, i): LimitOptions => ({ name: `limit-${i}`, rate: 1, period: `${i + 1}m`, burst: 1_000_000 }),
    );
    const limiter = new RateLimiter({ name: "limit", keyPrefix: "", limits: policy, backend });
    await limiter.check("key", { cost: 60 });
    return (await site.clients[0]?.get("limit:key")) as string;
  });
}

async function connectionBytes(site: Site, count: number): Promise<number> {
  const before = (await read(site)).memory;
  const sockets = await openConnections(site, count);
  // Redis shrinks the buffers of a connection that has been idle for some seconds.
  await sleep(5000);
  const bytes = ((await read(site)).memory - before) / count;
  for (const socket of sockets) socket.destroy();
  return bytes;
}

/** Opens connections that have sent a command and are idle since. */
export async function openConnections({ addresses }: Site, count: number): Promise<Socket[]> {
  const [{ host, port }] = addresses as [Site["addresses"][number]];
  const sockets: Socket[] = [];
  while (sockets.length < count) {
    const some = Array.from({ length: Math.min(100, count - sockets.length) }, () => connect(port, host));
    await Promise.all(some.map((socket) => once(socket, "connect")));
    const replies = some.map((socket) => once(socket, "data"));
    for (const socket of some) socket.write("PING\r\n");
    await Promise.all(replies);
    sockets.push(...some);
  }
  return sockets;
}

async function connectionsPerMaster(): Promise<number> {
  await using site = await openSite(3);
  const count = async (): Promise<number> => {
    const lists = await Promise.all(site.clients.map((client) => client.client("LIST") as Promise<string>));
    return lists.join("").trim().split("\n").length;
  };
  const before = await count();
  await using backend = new RedisBackend({ cluster: site.addresses, timeout: "5s", outage: "throw" });
  const limiter = new RateLimiter({ name: "limit", rate: 100, backend });
  for (let i = 0; i < 100; i++) await limiter.check(`key:${i}`);
  return ((await count()) - before) / site.clients.length;
}
