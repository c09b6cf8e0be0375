import { setTimeout as sleep } from "node:timers/promises";
import { RedisBackend } from "@ratelimit/backend-redis";
import { RateLimiter } from "@ratelimit/core";
import { type RedisServer, startCluster, startFaultProxy, startStandalone } from "@ratelimit/testbed";
import { Redis } from "ioredis";
import { describe, test } from "vitest";
import { clock } from "../../support/clock.ts";
import { Events } from "../../support/load.ts";

/** Waits until this source decides the calls of a limiter, and returns how many ms that took. */
async function untilBy(source: string, limiter: RateLimiter, withinMs: number): Promise<number> {
  const since = clock();
  while ((await limiter.check("key")).source !== source) {
    if (clock() - since > withinMs) throw new Error(`Not decided by ${source} within ${withinMs} ms`);
    await sleep(20);
  }
  return clock() - since;
}

/** Starts a name that leads to one server, until `leadTo` names another. As with DNS after a failover, open connections stay. */
async function startName(first: RedisServer): Promise<Awaited<ReturnType<typeof startFaultProxy>> & { leadTo(server: RedisServer): void }> {
  const target = { host: first.host, port: first.port };
  const proxy = await startFaultProxy(target);
  return Object.assign(proxy, { leadTo: ({ host, port }: RedisServer) => Object.assign(target, { host, port }) });
}

describe("if a master becomes a replica and its name leads to the new master a second later, the backend reconnects", () => {
  test.concurrent("from a standalone server", { timeout: 40_000 }, async ({ expect }) => {
    await using old = await startStandalone();
    await using next = await startStandalone();
    await using name = await startName(old.server);
    const events = new Events();
    await using backend = new RedisBackend({ url: `redis://${name.host}:${name.port}`, onOutage: events.listener });
    const limiter = new RateLimiter({ name: "api", rate: 100_000, backend });
    await untilBy("backend", limiter, 2000);
    const admin = new Redis(old.url);
    await admin.replicaof(next.host, next.port);
    await untilBy("local", limiter, 2000);
    await sleep(1000);
    name.leadTo(next.server);
    const connections = name.counts.connections;
    expect(await untilBy("backend", limiter, 5000)).toBeLessThan(1300);
    expect(name.counts.connections - connections).toBeLessThan(4);
    expect(events.reasons).toMatch(/READONLY|replica/);
    admin.disconnect();
  });

  test.concurrent("from a cluster-enabled shard, which answers MOVED", { timeout: 40_000 }, async ({ expect }) => {
    await using shard = await startCluster({ masters: 1, replicas: 1 });
    const [old, next] = [...shard.masters, ...shard.replicas] as [RedisServer, RedisServer];
    await using name = await startName(old);
    const events = new Events();
    await using backend = new RedisBackend({ url: `redis://${name.host}:${name.port}`, onOutage: events.listener });
    const limiter = new RateLimiter({ name: "api", rate: 100_000, backend });
    await untilBy("backend", limiter, 2000);
    const replica = new Redis(next.port, next.host);
    await replica.call("CLUSTER", "FAILOVER", "FORCE");
    await untilBy("local", limiter, 10_000);
    await sleep(1500);
    name.leadTo(next);
    expect(await untilBy("backend", limiter, 5000)).toBeLessThan(1300);
    expect(events.reasons).toMatch(/MOVED|replica/);
    replica.disconnect();
  });
});
