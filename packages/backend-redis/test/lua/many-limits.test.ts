import { randomUUID } from "node:crypto";
import { RedisBackend } from "@ratelimit/backend-redis";
import { type LimitOptions, RateLimiter } from "@ratelimit/core";
import type {} from "@ratelimit/testbed";
import { expect, inject, test } from "vitest";
import { strict } from "../support/strict.ts";

function limits(count: number): { limits: [LimitOptions, ...LimitOptions[]] } {
  return { limits: Array.from({ length: count }, (_, i) => ({ name: `l${i}`, rate: 5 + i })) as [LimitOptions, ...LimitOptions[]] };
}

test("the script accepts as many limits as a policy may have", async () => {
  await using backend = new RedisBackend({ url: inject("redis").url, ...strict });
  const limiter = new RateLimiter({ ...limits(100), name: randomUUID(), backend });
  // All but the first find a call in flight, so they are sent together in one script.
  const [first, ...results] = await Promise.all(Array.from({ length: 4 }, () => limiter.check("key")));
  expect(first?.limits.map(({ remaining }) => remaining)).toEqual(Array.from({ length: 100 }, (_, i) => 4 + i));
  expect(results.at(-1)?.limits.map(({ remaining }) => remaining)).toEqual(Array.from({ length: 100 }, (_, i) => 1 + i));
  expect((await limiter.charge("key", 2)).limits.at(-1)).toMatchObject({ remaining: 98 });
  expect((await limiter.check("key")).allowed).toBe(false);
});

test("a policy with more limits is rejected when it is created, and other limiters keep working", async () => {
  await using backend = new RedisBackend({ url: inject("redis").url, ...strict });
  for (const count of [101, 8000])
    expect(() => new RateLimiter({ ...limits(count), name: randomUUID(), backend })).toThrow(/at most 100 limits, got/);
  expect((await new RateLimiter({ rate: 5, name: randomUUID(), backend }).check("key")).source).toBe("backend");
});
