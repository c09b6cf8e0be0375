import { setTimeout as sleep } from "node:timers/promises";
import type { RedisServer, SentinelGroup } from "@ratelimit/testbed";
import { Redis } from "ioredis";
import { clock } from "./clock.ts";
import type { FailoverKind } from "./schedule.ts";

/** A master that was broken, and when the Sentinels named another one. */
export interface Replaced {
  readonly server: RedisServer;
  readonly kind: FailoverKind;
  /** When the Sentinels were last seen to name the old master: at most 0.2 s before they named the new one. */
  readonly promotedAt: number;
}

/**
 * Breaks the master, and resolves when the Sentinels name another one.
 * @throws {Error} if they do not within 30 s.
 */
export async function breakMaster(group: SentinelGroup, kind: FailoverKind): Promise<Replaced> {
  const server = await masterOf(group);
  if (kind === "frozen") server.pause();
  else if (kind === "killed") await server.kill();
  else {
    const replica = [group.master, ...group.replicas].find((other) => other !== server);
    replica?.pause();
    // Less than the second after which the Sentinels would consider the replica dead.
    await sleep(800);
    await server.kill();
    replica?.resume();
  }
  let promotedAt = clock();
  await until("the Sentinels to name another master", 30_000, async () => {
    const askedAt = clock();
    if ((await masterOf(group)) !== server) return true;
    promotedAt = askedAt;
    return false;
  });
  return { server, kind, promotedAt };
}

/**
 * Brings a replaced master back, and resolves when it is a replica of the new one.
 * @throws {Error} if it is not within a minute.
 */
export async function bringBack(group: SentinelGroup, { server, kind }: Replaced): Promise<void> {
  if (kind === "frozen") server.resume();
  else await server.restart();
  await until("the old master to follow the new one", 60_000, async () => {
    const [old, other] = await Promise.all([replicationOf(server), replicationOf(await masterOf(group))]);
    return old.includes("role:slave") && old.includes("master_link_status:up") && other.includes("state=online");
  });
}

async function masterOf(group: SentinelGroup): Promise<RedisServer> {
  const { port } = await group.currentMaster();
  const server = [group.master, ...group.replicas].find((each) => each.port === port);
  if (server === undefined) throw new Error(`The Sentinels named a master on port ${port}, but none of our servers listens there`);
  return server;
}

async function replicationOf({ address }: RedisServer): Promise<string> {
  const client = new Redis({ ...address, lazyConnect: true, connectTimeout: 1000, commandTimeout: 1000, retryStrategy: () => null });
  client.on("error", () => {});
  try {
    await client.connect();
    return await client.info("replication");
  } catch {
    return "";
  } finally {
    client.disconnect();
  }
}

/**
 * Polls a condition until it is true.
 * @throws {Error} if it is not true within `withinMs`.
 */
export async function until(what: string, withinMs: number, holds: () => Promise<boolean>): Promise<void> {
  for (const end = clock() + withinMs; !(await holds()); ) {
    if (clock() > end) throw new Error(`Waited ${withinMs} ms for ${what}`);
    await sleep(50);
  }
}
