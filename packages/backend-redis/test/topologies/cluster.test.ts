import { randomUUID } from "node:crypto";
import { RedisBackend } from "@ratelimit/backend-redis";
import { backendSuite } from "@ratelimit/conformance";
import { RateLimiter } from "@ratelimit/core";
import type {} from "@ratelimit/testbed";
import { Cluster } from "ioredis";
import { Cluster as Cluster5 } from "ioredis5";
import { afterAll, describe, expect, inject, test } from "vitest";
import { strict } from "../support/strict.ts";
import { clusterRights, makeUser } from "../support/user.ts";

const addresses = [...inject("redis").cluster];

describe("some of the nodes, as a user with only the rights that the README lists", () => {
  backendSuite(
    test,
    async () => {
      const admin = new Cluster(addresses);
      await admin.ping();
      const redisOptions = await makeUser(admin.nodes("all"), clusterRights);
      admin.disconnect();
      return { backend: new RedisBackend({ cluster: addresses.slice(0, 2), options: { redisOptions }, ...strict }) };
    },
    { liveClock: true },
  );
});

describe("a client of ioredis 5 with its defaults", () => {
  const client = new Cluster5(addresses);
  afterAll(() => client.disconnect());
  backendSuite(test, () => ({ backend: new RedisBackend({ client, ...strict }) }), { liveClock: true });
});

describe("calls before the client has connected", () => {
  test("are all admitted: none fails because a node is still connecting", async () => {
    await using backend = new RedisBackend({ cluster: addresses.slice(0, 1), ...strict });
    const limiter = new RateLimiter({ rate: 1, period: "1h", backend, name: randomUUID() });
    const results = await Promise.all(Array.from({ length: 300 }, (_, i) => limiter.check(`key ${i}`)));
    expect(results.filter(({ allowed }) => allowed)).toHaveLength(300);
  });
});

describe("keys with braces", () => {
  test("do not choose their slot: they are spread over all masters", async () => {
    await using backend = new RedisBackend({ cluster: addresses, ...strict });
    const name = randomUUID();
    const limiter = new RateLimiter({ rate: 1, period: "1h", backend, name });
    await Promise.all(Array.from({ length: 60 }, (_, i) => limiter.check(`{user}${i}`)));
    const client = new Cluster(addresses);
    await client.ping();
    const counts = await Promise.all(client.nodes("master").map(async (node) => (await node.keys(`ratelimit:${name}:*`)).length));
    client.disconnect();
    expect(counts.reduce((sum, count) => sum + count)).toBe(60);
    for (const count of counts) expect(count).toBeGreaterThan(5);
  });
});

describe("calls of one turn", () => {
  test.each([
    ["ioredis 6", () => ({ cluster: addresses })],
    ["ioredis 5 with a keyPrefix", () => ({ client: new Cluster5([...addresses], { keyPrefix: "mine:" }) })],
  ])("each get the answer for their own key, and leave the same bucket as a call alone (%s)", async (_, optionsOf) => {
    const options = optionsOf();
    await using backend = new RedisBackend({ ...options, ...strict });
    const limiter = new RateLimiter({ rate: 1, period: "1h", burst: 1000, backend, name: randomUUID() });
    const left = Array.from({ length: 100 }, (_, i) => 999 - i);
    const taken = await Promise.all(left.map((_, i) => limiter.check(`key ${i}`, { cost: i + 1 })));
    expect(taken.map(({ remaining }) => remaining)).toEqual(left);
    const alone: number[] = [];
    for (const i of left.keys()) alone.push((await limiter.peek(`key ${i}`)).remaining);
    expect(alone).toEqual(left);
    if ("client" in options) options.client.disconnect();
  });
});
