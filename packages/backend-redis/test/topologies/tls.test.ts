import { RedisBackend, safeRedisOptions } from "@ratelimit/backend-redis";
import { backendSuite } from "@ratelimit/conformance";
import { RateLimiter } from "@ratelimit/core";
import type {} from "@ratelimit/testbed";
import { Redis } from "ioredis";
import { describe, expect, inject, test } from "vitest";
import { like } from "../support/like.ts";
import { strict } from "../support/strict.ts";
import { makeUser, rights } from "../support/user.ts";

const { url, ca } = inject("redis").tls;

describe("TLS, as a user with only the rights that the README lists", () => {
  backendSuite(
    test,
    async () => {
      const admin = new Redis(url, { tls: { ca } });
      const user = await makeUser([admin], rights);
      admin.disconnect();
      const { hostname: host, port } = new URL(url);
      const client = new Redis({ ...safeRedisOptions, host, port: Number(port), tls: { ca }, ...user });
      return { backend: new RedisBackend({ client, ...strict }), dispose: () => client.disconnect() };
    },
    { liveClock: true },
  );
});

describe("a certificate from an untrusted authority", () => {
  test("is reported as the cause", async () => {
    await using backend = new RedisBackend({ url, ...strict });
    const limiter = new RateLimiter({ name: "tls", rate: 1, backend });
    const error = await limiter.check("key").catch((error: unknown) => error);
    expect(error).toMatchObject({ code: "BACKEND", status: 503, cause: { code: like(/SELF_SIGNED|UNABLE_TO/) } });
  });
});
