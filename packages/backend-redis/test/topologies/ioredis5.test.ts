import { randomUUID } from "node:crypto";
import Module, { createRequire } from "node:module";
import { RedisBackend, type RedisBackendOptions } from "@ratelimit/backend-redis";
import { backendSuite } from "@ratelimit/conformance";
import { RateLimiter } from "@ratelimit/core";
import type {} from "@ratelimit/testbed";
import { Redis } from "ioredis";
import { Redis as Redis5 } from "ioredis5";
import { describe, expect, inject, test, vi } from "vitest";
import { openIoredis } from "../../src/clients/own.ts";
import { strict } from "../support/strict.ts";

// Makes the backend open its own clients with version 5.
vi.mock("ioredis", () => import("ioredis5"));
const require = createRequire(import.meta.url);
const cached = require.cache[require.resolve("ioredis")] ?? new Module("ioredis");
cached.exports = await import("ioredis5");
cached.loaded = true;
require.cache[require.resolve("ioredis")] = cached;

const { url, cluster, sentinels } = inject("redis");

test("the installed ioredis is version 5", () => {
  expect(Redis).toBe(Redis5);
  const client = openIoredis({ url });
  expect(client).toBeInstanceOf(Redis5);
  client.disconnect();
});

describe("opened by the backend", () => {
  backendSuite(test, () => ({ backend: new RedisBackend({ url, ...strict }) }), { liveClock: true });
});

const ways: [string, RedisBackendOptions][] = [
  ["url", { url }],
  ["cluster", { cluster }],
  ["sentinels", { sentinels: sentinels.addresses, name: sentinels.name }],
  ["client", { client: new Redis5(url, { lazyConnect: true, stringNumbers: true, enableAutoPipelining: true, keyPrefix: "mine:" }) }],
];

test.each(ways)("opened with `%s`, 50 simultaneous calls take 50 tokens", async (_, options) => {
  await using backend = new RedisBackend({ ...options, ...strict });
  const limiter = new RateLimiter({ rate: 60, period: "1d", backend, name: randomUUID() });
  await Promise.all(Array.from({ length: 50 }, () => limiter.check("key")));
  expect((await limiter.peek("key")).remaining).toBe(10);
  expect(await limiter.charge("key", 5)).toMatchObject({ remaining: 5, uncharged: 0 });
  await limiter.reset("key");
  expect((await limiter.peek("key")).remaining).toBe(60);
  if ("client" in options) (options.client as Redis5).disconnect();
});
