import { randomUUID } from "node:crypto";
import { RedisBackend } from "@ratelimit/backend-redis";
import { RateLimiter } from "@ratelimit/core";
import type {} from "@ratelimit/testbed";
import { Redis } from "ioredis";
import { Redis as Redis5 } from "ioredis5";
import { afterAll, describe, expect, inject, test } from "vitest";
import { like } from "../support/like.ts";
import { strictAsked } from "../support/strict.ts";

const { url } = inject("redis");
const redis = new Redis(url);
const version5 = new Redis5(url);
afterAll(() => {
  redis.disconnect();
  version5.disconnect();
});

const one = { rate: 10, period: 60 };
const two = {
  limits: [
    { name: "minute", rate: 10, period: 60 },
    { name: "hour", rate: 100, period: "1h" },
  ],
} as const;
const hourMs = "3600000";

/** What another program may have stored at a bucket's key, with the command that writes it (without the key). */
const foreign: readonly [what: string, command: string, ...args: string[]][] = [
  ["a list", "RPUSH", "0"],
  ["a hash", "HSET", "tokens", "0"],
  ["a set", "SADD", "0"],
  ["a stream", "XADD", "*", "0", "0"],
  ["abc", "SET", "abc", "PX", hourMs],
  ["nan", "SET", "nan", "PX", hourMs],
  ["inf", "SET", "inf", "PX", hourMs],
  ["nothing", "SET", "", "PX", hourMs],
  ["a negative number", "SET", "-1", "PX", hourMs],
  ["a fraction", "SET", "0.5", "PX", hourMs],
  ["a number as Lua would take it", "SET", "0x10", "PX", hourMs],
  ["a number in spaces", "SET", " 1 ", "PX", hourMs],
  ["a number of 17 digits", "SET", "1".repeat(17), "PX", hourMs],
  ["a number of a million digits", "SET", "1".repeat(1_000_000), "PX", hourMs],
  ["entries of another version", "SET", "3|77:0:0", "PX", hourMs],
  ["entries of version 1", "SET", "1|minute:0:0", "PX", hourMs],
  ["entries without an entry", "SET", "2|", "PX", hourMs],
  ["entries that end early", "SET", "2|77:0:0|", "PX", hourMs],
  ["an entry without a slack", "SET", "2|77:0", "PX", hourMs],
  ["an entry without a name", "SET", "2|:0:0", "PX", hourMs],
  ["a distance that is no number", "SET", "2|77:x:0", "PX", hourMs],
  ["a distance below 0", "SET", "2|77:-1:0", "PX", hourMs],
  ["a slack of 17 digits", "SET", `2|77:0:${"1".repeat(17)}`, "PX", hourMs],
  ["a distance of a million digits", "SET", `2|77:${"1".repeat(1_000_000)}:0`, "PX", hourMs],
  ["a bucket without an expiry", "SET", "0"],
  ["entries without an expiry", "SET", "2|77:0:0"],
];

describe.each([
  ["one limit", one],
  ["two limits", two],
] as const)("a policy of %s", (_, policy) => {
  test.each(foreign)("that finds %s fails for that key alone, and leaves the value as it is", async (_, command, ...args) => {
    for (const client of [redis, version5]) {
      const backend = new RedisBackend({ client, ...strictAsked });
      const limiter = new RateLimiter({ ...policy, backend, name: randomUUID() });
      const key = `ratelimit:${limiter.name}:key`;
      await redis.call(command, key, ...args);
      const before = await redis.dump(key);
      const calls = [
        limiter.check("key"),
        limiter.peek("key"),
        limiter.refund("key"),
        limiter.charge("key", 1),
        limiter.check("key", { cost: 99 }),
      ];
      for (const outcome of await Promise.allSettled(calls))
        expect(outcome).toMatchObject({
          status: "rejected",
          reason: { name: "RateLimitError", code: "BACKEND", status: 503, keyOnly: true },
        });
      expect(await redis.dump(key)).toBe(before);
      expect((await limiter.check("another key")).allowed).toBe(true);
      await limiter.reset("key");
      expect((await limiter.check("key")).remaining).toBe(9);
      await backend.close();
    }
  });

  test("clamps an expiry that is far too long to a debt of one burst, and stores that even on a peek or a refusal", async () => {
    const backend = new RedisBackend({ client: redis, ...strictAsked });
    const limiter = new RateLimiter({ ...policy, backend, name: randomUUID() });
    const key = `ratelimit:${limiter.name}:key`;
    for (const expiry of [String(365 * 86_400_000), "9000000000000000"]) {
      await redis.set(key, String(limiter.policy.limits[0].fingerprint), "PX", expiry);
      expect((await limiter.peek("key")).limits[0]).toMatchObject({ remaining: 0, resetAfter: 120 });
      expect(await redis.pttl(key)).toBeLessThanOrEqual(120_000);
      const { allowed, retryAfter } = await limiter.check("key");
      expect(allowed).toBe(false);
      // The peek has clamped it, and some ms have passed since.
      expect(retryAfter).toBeGreaterThan(65.5);
      expect(retryAfter).toBeLessThanOrEqual(66);
      expect(await redis.pttl(key)).toBeLessThanOrEqual(120_000);
    }
    await backend.close();
  });
});

test("an error contains neither the key nor the command", async () => {
  const backend = new RedisBackend({ client: redis, ...strictAsked });
  const limiter = new RateLimiter({ ...one, backend, name: randomUUID() });
  await redis.rpush(`ratelimit:${limiter.name}:api-key-0815`, "0");
  const error = await limiter.check("api-key-0815").catch((error: unknown) => error);
  expect(error).toMatchObject({ cause: { message: like(/WRONGTYPE/) } });
  for (let thing: unknown = error; thing instanceof Error; thing = thing.cause) {
    const fields = Object.getOwnPropertyNames(thing).map((name) => JSON.stringify((thing as unknown as Record<string, unknown>)[name]));
    expect(fields.join()).not.toContain("0815");
    expect(thing).not.toHaveProperty("command");
  }
  await backend.close();
});
