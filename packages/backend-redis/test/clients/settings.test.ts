import { randomUUID } from "node:crypto";
import { RedisBackend, type RedisClient, safeRedisOptions } from "@ratelimit/backend-redis";
import { RateLimiter } from "@ratelimit/core";
import { startStandalone } from "@ratelimit/testbed";
import { GlideClient } from "@valkey/valkey-glide";
import { Redis } from "ioredis";
import { Redis as Valkey } from "iovalkey";
import * as nodeRedis from "redis";
import * as nodeRedis5 from "redis5";
import { afterEach, describe, expect, inject, test, vi } from "vitest";
import { addressOf, libraries, nodeRedisOptions } from "../support/libraries.ts";
import { like } from "../support/like.ts";
import { Events } from "../support/load.ts";
import { strict } from "../support/strict.ts";

const { url, cluster } = inject("redis");
const at = addressOf(url);
const rootNodes = cluster.map((socket) => ({ socket: { ...socket } }));
const versions = [
  ["6", nodeRedis],
  // The types differ, but not in what is used here.
  ["5", nodeRedis5 as unknown as typeof nodeRedis],
] as const;

describe("a process is warned once, in the words of the library, of a client", () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  const quick = { reconnectStrategy: () => 50 };
  const cases: readonly (readonly [string, () => RedisClient | Promise<RedisClient>, readonly RegExp[]])[] = [
    [
      "of iovalkey with its defaults",
      () => new Valkey({ lazyConnect: true }),
      [/safeRedisOptions/, /autoResendUnfulfilledCommands: false/],
    ],
    ["of iovalkey with safe options", () => new Valkey({ ...safeRedisOptions, lazyConnect: true }), []],
    ...versions.flatMap(([version, { createClient, createCluster }]) => [
      [`of node-redis ${version} with its defaults`, () => createClient(), [/set `disableOfflineQueue: true`/]] as const,
      [`of node-redis ${version} with the recommended options`, () => createClient({ ...nodeRedisOptions }), []] as const,
      [
        `of node-redis ${version} that never reconnects`,
        () => createClient({ disableOfflineQueue: true, socket: { reconnectStrategy: false } }),
        [/once its connection has ended.*set `socket: \{ reconnectStrategy: /],
      ] as const,
      [
        `of node-redis ${version} with a socketTimeout and the usual strategy`,
        () => createClient({ disableOfflineQueue: true, socket: { socketTimeout: 2000 } }),
        [/been silent for its `socketTimeout`/],
      ] as const,
      [
        `of node-redis ${version} with a socketTimeout and a strategy`,
        () => createClient({ disableOfflineQueue: true, socket: { socketTimeout: 2000, ...quick } }),
        [],
      ] as const,
      [
        `of node-redis ${version} in a Cluster with its defaults`,
        () => createCluster({ rootNodes }),
        [/set `defaults: \{ disableOfflineQueue: true \}`/],
      ] as const,
      [
        `of node-redis ${version} in a Cluster with the recommended options`,
        () => createCluster({ rootNodes, defaults: { ...nodeRedisOptions } }),
        [],
      ] as const,
    ]),
    ["of GLIDE with its defaults", () => GlideClient.createClient({ addresses: [at] }), []],
    [
      "of GLIDE with a long requestTimeout",
      () => GlideClient.createClient({ addresses: [at], requestTimeout: 5000 }),
      [/set `requestTimeout` to at most 500/],
    ],
  ];

  test.each(cases)("%s", async (_, make, expected) => {
    const emit = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    vi.resetModules();
    const { adapt } = await import("../../src/clients/adapt.ts");
    const client = await make();
    for (let i = 0; i < 3; i++) adapt(client);
    if ("status" in client) (client as Redis).disconnect();
    if ("customCommand" in client) client.close();
    const messages = emit.mock.calls.map(([message]) => String(message));
    expect(messages).toEqual(expected.map((pattern) => like(pattern)));
  });
});

describe("a client of node-redis", () => {
  test.each(versions)("%s that is not connected is reported with the call that connects it, and used once it is", async (_, library) => {
    const client = library.createClient({ ...nodeRedisOptions, socket: { ...nodeRedisOptions.socket, ...at } });
    const events = new Events();
    await using backend = new RedisBackend({ client, onOutage: events.listener });
    const limiter = new RateLimiter({ rate: 10, name: randomUUID(), backend });
    expect((await limiter.check("key")).source).toBe("local");
    expect(events.reasons).toMatch(/call its `connect\(\)`/);
    await client.connect();
    await vi.waitFor(async () => expect((await limiter.check("other")).source).toBe("backend"), { timeout: 2000 });
    client.destroy();
  });

  test.each(versions)("%s may return other types to its user", async (_, library) => {
    const types = { 36: Buffer, 58: String } as const;
    const client = library.createClient({ ...nodeRedisOptions, socket: { ...at }, commandOptions: { typeMapping: types } });
    client.on("error", () => {});
    await client.connect();
    await using backend = new RedisBackend({ client, ...strict });
    const limiter = new RateLimiter({ rate: 10, name: randomUUID(), backend });
    expect((await limiter.check("key")).remaining).toBe(9);
    await client.set(`ratelimit:${limiter.name}:foreign`, "theirs");
    await expect(limiter.check("foreign")).rejects.toMatchObject({ code: "BACKEND", keyOnly: true });
    client.destroy();
  });

  test.each(versions)("%s cannot be a pool", (_, { createClientPool }) => {
    expect(() => new RedisBackend({ client: createClientPool() as unknown as RedisClient })).toThrow(
      /^Expected `client` .* \(not a pool\)/,
    );
  });

  test("6 puts its keyPrefix before the keys, also in a Cluster", async () => {
    const admin = new Redis(url);
    const single = nodeRedis.createClient({ ...nodeRedisOptions, socket: { ...at }, keyPrefix: "mine:" });
    const nodes = nodeRedis.createCluster({ rootNodes, defaults: { ...nodeRedisOptions }, keyPrefix: "mine:" });
    for (const client of [single, nodes]) {
      client.on("error", () => {});
      await client.connect();
      await using backend = new RedisBackend({ client, ...strict });
      const limiter = new RateLimiter({ rate: 10, name: randomUUID(), backend });
      const results = await Promise.all(Array.from({ length: 50 }, (_, i) => limiter.check(`k${i}`)));
      expect(new Set(results.map(({ remaining }) => remaining))).toEqual(new Set([9]));
      expect(await client.exists(`ratelimit:${limiter.name}:k1`)).toBe(1);
      if (client === single) expect(await admin.exists(`mine:ratelimit:${limiter.name}:k1`)).toBe(1);
      client.destroy();
    }
    admin.disconnect();
  });
});

describe.each(libraries)("many backends on one client of $name", ({ standalone }) => {
  test("share it, leave it open, and can use it again after all of them were closed", async () => {
    await using server = await startStandalone();
    await using opened = await standalone(server);
    const { client } = opened;
    for (let round = 0; round < 15; round++) {
      const backends = Array.from({ length: 3 }, () => new RedisBackend({ client, ...strict }));
      const limiters = backends.map((backend) => new RateLimiter({ rate: 10, name: randomUUID(), backend }));
      const results = await Promise.all(limiters.map((limiter) => limiter.check("key")));
      expect(results.map(({ remaining }) => remaining)).toEqual([9, 9, 9]);
      await Promise.all(backends.map((backend) => backend.close()));
    }
  });
});
