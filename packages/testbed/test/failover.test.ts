import { Cluster, Redis } from "ioredis";
import { expect, test, vi } from "vitest";
import { startCluster, startSentinel } from "../src/index.ts";
import { expectGone } from "./leftovers.ts";

const KEYS = Array.from({ length: 60 }, (_, i) => `key:${i}`);

test.concurrent("a cluster shares the slots, replaces a dead master, and leaves nothing behind", async () => {
  await using cluster = await startCluster();
  const client = new Cluster([...cluster.addresses], { retryDelayOnFailover: 100, clusterRetryStrategy: () => 100 });
  client.on("error", () => {});
  try {
    for (const key of KEYS) await client.set(key, "1");
    const held = await Promise.all(client.nodes("master").map((node) => node.dbsize()));
    expect(held).toHaveLength(3);
    expect(Math.min(...held)).toBeGreaterThan(0);
    expect(held.reduce((sum, size) => sum + size)).toBe(KEYS.length);

    await cluster.masters[0]!.kill();
    await vi.waitFor(() => Promise.all(KEYS.map((key) => client.set(key, "2"))), { timeout: 10_000 });
    await cluster.masters[0]!.restart(); // as a replica of the one that replaced it
  } finally {
    client.disconnect();
  }
  await cluster.stop();
  await expectGone([...cluster.masters, ...cluster.replicas]);
});

test.concurrent("a cluster has the given size and arguments", async () => {
  await using cluster = await startCluster({ masters: 2, replicas: 0, args: ["--maxmemory", "50mb"] });
  const client = new Cluster([...cluster.addresses]);
  try {
    expect(await client.config("GET", "maxmemory")).toEqual(["maxmemory", "52428800"]);
    expect(client.nodes("master")).toHaveLength(2);
    expect(cluster.replicas).toEqual([]);
  } finally {
    client.disconnect();
  }
});

test.concurrent("Sentinels name the master, replace a dead one, and leave nothing behind", async () => {
  await using group = await startSentinel();
  const client = new Redis({ sentinels: [...group.addresses], name: group.name, sentinelRetryStrategy: () => 100 });
  client.on("error", () => {});
  try {
    await client.set("key", "before");
    expect(await client.wait(1, 1000)).toBe(1);
    expect(await group.currentMaster()).toEqual(group.master.address);

    await group.master.kill();
    const next = group.replicas[0]!.address;
    await vi.waitFor(async () => expect(await group.currentMaster()).toEqual(next), { timeout: 10_000 });
    expect(await client.get("key")).toBe("before");
    await vi.waitFor(() => client.set("key", "after"), { timeout: 5000 });
  } finally {
    client.disconnect();
  }
  await group.stop();
  await expectGone([group.master, ...group.replicas, ...group.sentinels]);
});
