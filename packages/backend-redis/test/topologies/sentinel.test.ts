import { RedisBackend } from "@ratelimit/backend-redis";
import { backendSuite } from "@ratelimit/conformance";
import type {} from "@ratelimit/testbed";
import { Redis as Redis5 } from "ioredis5";
import { afterAll, describe, inject, test } from "vitest";
import { strict } from "../support/strict.ts";

const { name, addresses: sentinels } = inject("redis").sentinels;

describe("the master that the Sentinels name", () => {
  backendSuite(test, () => ({ backend: new RedisBackend({ sentinels, name, ...strict }) }), { liveClock: true });
});

describe("a client of ioredis 5 with its defaults", () => {
  const client = new Redis5({ sentinels: [...sentinels], name });
  afterAll(() => client.disconnect());
  backendSuite(test, () => ({ backend: new RedisBackend({ client, ...strict }) }), { liveClock: true });
});
