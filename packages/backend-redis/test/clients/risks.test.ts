import { type FaultProxy, type SentinelGroup, startCluster, startFaultProxy, startSentinel, startStandalone } from "@ratelimit/testbed";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { libraries } from "../support/libraries.ts";
import { chargesOfLostReply } from "../support/lost-reply.ts";

/** A proxy in front of a cluster of one node, which says that its address is that of the proxy. */
async function startShard(): Promise<{ proxy: FaultProxy; stop: () => Promise<void> }> {
  const target = { host: "127.0.0.1", port: 1 };
  const proxy = await startFaultProxy(target);
  const args = ["--cluster-announce-ip", proxy.host, "--cluster-announce-port", String(proxy.port)];
  const shard = await startCluster({ masters: 1, replicas: 0, args });
  Object.assign(target, shard.addresses[0]);
  return { proxy, stop: () => Promise.all([proxy.stop(), shard.stop()]).then(() => {}) };
}

describe.each(libraries)("a call of $name whose reply is lost is charged once", ({ standalone, ...library }) => {
  test("on one server", async () => {
    await using server = await startStandalone();
    await using proxy = await startFaultProxy(server);
    await using opened = await standalone({ host: proxy.host, port: proxy.port });
    expect(await chargesOfLostReply(opened.client, proxy)).toBe(1);
  });

  test("in a Cluster", async () => {
    const { proxy, stop } = await startShard();
    const opened = await library.cluster([{ host: proxy.host, port: proxy.port }]);
    expect(await chargesOfLostReply(opened.client, proxy)).toBe(1);
    await opened[Symbol.asyncDispose]();
    await stop();
  });
});

describe("a call by Sentinels whose reply is lost is charged once", () => {
  let group: SentinelGroup;
  beforeAll(async () => {
    group = await startSentinel();
  }, 30_000);
  afterAll(() => group.stop());

  test.each(libraries.flatMap(({ name, sentinel }) => (sentinel === undefined ? [] : [{ name, sentinel }])))(
    "through $name",
    async ({ sentinel }) => {
      await using proxy = await startFaultProxy(group.master);
      const natMap = { [`${group.master.host}:${group.master.port}`]: { host: proxy.host, port: proxy.port } };
      await using opened = await sentinel({ name: group.name, addresses: group.addresses, natMap });
      expect(await chargesOfLostReply(opened.client, proxy)).toBe(1);
    },
  );
});
