import { randomUUID } from "node:crypto";
import { RedisBackend, type RedisBackendOptions, safeRedisOptions } from "@ratelimit/backend-redis";
import { backendSuite } from "@ratelimit/conformance";
import { RateLimiter, type RateLimitResult } from "@ratelimit/core";
import { type RedisCluster, startCluster } from "@ratelimit/testbed";
import { Redis } from "ioredis";
import { Redis as Redis5 } from "ioredis5";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { like } from "../support/like.ts";
import { Events } from "../support/load.ts";
import { startOneEndpoint } from "../support/one-endpoint.ts";
import { strict } from "../support/strict.ts";
import { makeUser, rights } from "../support/user.ts";

let shard: RedisCluster;
let url: string;
beforeAll(async () => {
  shard = await startCluster({ masters: 1, replicas: 0 });
  const [{ host, port }] = shard.addresses as [{ host: string; port: number }];
  url = `redis://${host}:${port}`;
}, 30_000);
afterAll(() => shard.stop());

const users = Array.from({ length: 20 }, (_, i) => `user${i}`);

/** Checks 20 keys with a limit of 10 on four backends in each of 30 turns, and returns the results. */
async function crowd(optionsOf: () => RedisBackendOptions): Promise<{ results: readonly RateLimitResult[]; events: Events }> {
  const events = new Events();
  const backends = Array.from({ length: 4 }, () => new RedisBackend({ timeout: "5s", onOutage: events.listener, ...optionsOf() }));
  const name = randomUUID();
  const limiters = backends.map((backend) => new RateLimiter({ name, rate: 10, period: "1d", backend }));
  const results: RateLimitResult[] = [];
  for (let turn = 0; turn < 30; turn++)
    results.push(...(await Promise.all(limiters.flatMap((limiter) => users.map((user) => limiter.check(user))))));
  await Promise.all(backends.map((backend) => backend.close()));
  return { results, events };
}

function expectExact({ results, events }: Awaited<ReturnType<typeof crowd>>): void {
  expect(events.all).toEqual([]);
  expect([...new Set(results.map(({ source }) => source))].sort()).toEqual(["backend", "deny-cache"]);
  expect(results.filter(({ allowed }) => allowed)).toHaveLength(200);
}

describe("a cluster-enabled server of one shard admits exactly the limit", () => {
  test("reached through `url`", async () => {
    expectExact(await crowd(() => ({ url })));
  });

  test.each([
    ["ioredis 6", () => new Redis(url, safeRedisOptions)],
    ["ioredis 5 with a keyPrefix", () => new Redis5(url, { ...safeRedisOptions, keyPrefix: "mine:" })],
  ])("reached through a plain client of %s", async (_, make) => {
    const client = make();
    expectExact(await crowd(() => ({ client })));
    client.disconnect();
  });

  test("for a user who may not call INFO", async () => {
    const admin = new Redis(url);
    const user = await makeUser(
      [admin],
      rights.filter((right) => right !== "+info"),
    );
    const client = new Redis(url, { ...safeRedisOptions, ...user });
    expectExact(await crowd(() => ({ client })));
    client.disconnect();
    admin.disconnect();
  });

  describe("and passes the conformance suite", () => {
    backendSuite(test, () => ({ backend: new RedisBackend({ url, ...strict }) }), { liveClock: true });
  });

  test("and sends the calls of one turn in one write", async () => {
    const client = new Redis(url, safeRedisOptions);
    const backend = new RedisBackend({ client, ...strict });
    const limiter = new RateLimiter({ rate: 10, backend, name: randomUUID() });
    await limiter.check("first");
    const { stream } = client as unknown as { stream: { write(chunk: unknown): boolean; _writev: (...args: unknown[]) => void } };
    let writes = 0;
    const writev = stream._writev.bind(stream);
    stream._writev = (...args) => {
      writes++;
      writev(...args);
    };
    await Promise.all([limiter.check("alone"), ...users.slice(0, 16).map((user) => limiter.check(user))]);
    expect(writes).toBe(1);
    client.disconnect();
  });
});

describe("a proxy with one endpoint that refuses scripts with several keys", () => {
  test.each([
    "CROSSSLOT Keys in request don't hash to the same slot",
    "ERR CROSSSLOT Keys in request don't hash to the same slot",
    "ERR 'EVALSHA' command keys must in same slot",
    "ERR eval/evalsha command keys must be in same slot",
    "ERR Cross-slot queries are disabled.",
  ])("(%j) causes no outage, and refuses only once per client", async (message) => {
    const { hostname: host, port } = new URL(inject("redis").url);
    await using proxy = await startOneEndpoint({ host, port: Number(port) }, message);
    const client = new Redis(proxy.url, safeRedisOptions);
    await using keeper = new RedisBackend({ client, ...strict });
    await new RateLimiter({ rate: 1, backend: keeper, name: randomUUID() }).check("key");
    expectExact(await crowd(() => ({ client })));
    expect(proxy.refused).toBeGreaterThan(0);
    const { refused } = proxy;
    expectExact(await crowd(() => ({ client })));
    expect(proxy.refused).toBe(refused);
    client.disconnect();
  });
});

describe("a server that is one of several shards", () => {
  test.each(["url", "client"])("reached through `%s` serves its own keys, and errors for other keys say how to reach them", async (way) => {
    const [{ host, port }] = inject("redis").cluster as [{ host: string; port: number }];
    const node = `redis://${host}:${port}`;
    const client = new Redis(node, safeRedisOptions);
    const events = new Events();
    const backend = new RedisBackend({ ...(way === "url" ? { url: node } : { client }), timeout: "5s", onOutage: events.listener });
    const limiter = new RateLimiter({ rate: 10, backend, name: randomUUID() });
    const sources = new Set<string>();
    for (let round = 0; round < 3; round++) {
      const results = await Promise.all(Array.from({ length: 60 }, (_, i) => limiter.check(`key ${i}`)));
      sources.add(results.map(({ source }) => (source === "backend" ? "b" : "l")).join(""));
    }
    // The same keys every time, because no breaker opens and closes in between.
    expect([...sources]).toEqual([like(/^(?=.*b)(?=.*l)[bl]{60}$/)]);
    expect(events.all[0]).toMatchObject({ class: "key", reason: like(/^MOVED .* `cluster: \[\.\.\.\]`/), keyHash: like(/^[0-9a-f]{16}$/) });
    expect(events.reasons).not.toContain(String(port));
    await backend.close();

    const thrower = new RedisBackend({ client, ...strict });
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, (_, i) => new RateLimiter({ rate: 10, backend: thrower, name: limiter.name }).check(`key ${i}`)),
    );
    expect(outcomes).toContainEqual(
      expect.objectContaining({
        reason: expect.objectContaining({
          code: "BACKEND",
          message: like(/^Expected one server .*: write `cluster: \[\.\.\.\]`/),
        }) as unknown,
      }),
    );
    client.disconnect();
  });
});
