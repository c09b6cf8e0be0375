import { RedisBackend } from "@ratelimit/backend-redis";
import { backendSuite } from "@ratelimit/conformance";
import type {} from "@ratelimit/testbed";
import { Redis } from "ioredis";
import { afterAll, describe, inject, test } from "vitest";
import { frozen } from "../support/frozen.ts";
import { strict, strictAsked } from "../support/strict.ts";

const { url } = inject("redis");

describe("with a frozen clock", () => {
  const redis = new Redis(url);
  afterAll(() => redis.disconnect());
  backendSuite(test, () => {
    const { client, clock } = frozen(redis);
    return { backend: new RedisBackend({ client, ...strictAsked }), clock };
  });
});

describe("with the clock of Redis", () => {
  backendSuite(test, () => ({ backend: new RedisBackend({ url, ...strict }) }), { liveClock: true });
});
