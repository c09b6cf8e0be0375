import { readFile } from "node:fs/promises";
import type { TestProject } from "vitest/node";
import { type Address, withClient } from "./client.ts";
import { startCluster } from "./cluster.ts";
import type { ProvidedRedis } from "./provided.ts";
import { startSentinel } from "./sentinel.ts";
import { startStandalone } from "./standalone.ts";
import { startTls } from "./tls.ts";

/** Starts every topology for a vitest project, as its `globalSetup`, and gives its tests the addresses. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { redis, stop } = await startAll();
  project.provide("redis", redis);
  return stop;
}

/**
 * Starts the four topologies in parallel. If one fails, stops all of them. Does not start a topology that the environment names:
 * REDIS_URL; REDIS_CLUSTER as `host:port,host:port`; REDIS_SENTINELS in the same form, with REDIS_SENTINEL_NAME (`mymaster` by
 * default); REDIS_TLS_URL, with REDIS_TLS_CA as the path of a PEM file.
 */
export async function startAll(env: NodeJS.ProcessEnv = process.env): Promise<{ redis: ProvidedRedis; stop: () => Promise<void> }> {
  const given = (name: string): string | undefined => env[name] || undefined;
  const givenUrl = given("REDIS_URL");
  const givenCluster = addresses(given("REDIS_CLUSTER"), 6379);
  const givenSentinels = addresses(given("REDIS_SENTINELS"), 26_379);
  const name = given("REDIS_SENTINEL_NAME") ?? "mymaster";
  const givenTls = given("REDIS_TLS_URL");
  const givenCa = given("REDIS_TLS_CA");
  const ca = givenCa === undefined ? "" : await readFile(givenCa, "utf8");

  const stops: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(stops.splice(0).map((each) => each()));
  };
  const started = async <T extends { stop(): Promise<void> }>(start: Promise<T>): Promise<T> => {
    const topology = await start;
    stops.push(() => topology.stop());
    return topology;
  };
  const url = givenUrl === undefined ? started(startStandalone()).then((server) => server.url) : Promise.resolve(givenUrl);
  const cluster =
    givenCluster === undefined ? started(startCluster()).then(({ addresses }) => steadyCluster(addresses)) : Promise.resolve(givenCluster);
  const sentinels =
    givenSentinels === undefined
      ? started(startSentinel()).then(({ name, addresses }) => steadySentinels({ name, addresses }))
      : Promise.resolve({ name, addresses: givenSentinels });
  const tls =
    givenTls === undefined
      ? started(startTls()).then((server) => ({ url: server.url, ca: server.ca }))
      : Promise.resolve({ url: givenTls, ca });

  const all = [url, cluster, sentinels, tls] as const;
  try {
    const [url, cluster, sentinels, tls] = await Promise.all(all);
    return { redis: { url, cluster, sentinels, tls }, stop };
  } catch (error) {
    await Promise.allSettled(all);
    await stop();
    throw error;
  }
}

/**
 * How long a server may be silent before it is replaced, in ms. A machine that stalls for a second must not cause a failover in tests that
 * expect none.
 */
const silentMs = "60000";

async function steadyCluster(nodes: readonly Address[]): Promise<readonly Address[]> {
  await Promise.all(nodes.map((node) => withClient(node, (client) => client.config("SET", "cluster-node-timeout", silentMs))));
  return nodes;
}

async function steadySentinels(group: ProvidedRedis["sentinels"]): Promise<ProvidedRedis["sentinels"]> {
  await Promise.all(
    group.addresses.map((sentinel) =>
      withClient(sentinel, (client) => client.call("SENTINEL", "SET", group.name, "down-after-milliseconds", silentMs)),
    ),
  );
  return group;
}

function addresses(list: string | undefined, standard: number): Address[] | undefined {
  return list?.split(",").map((entry) => {
    const { hostname, port } = new URL(`redis://${entry.trim()}`);
    return { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port || standard) };
  });
}
