import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { RedisBackend } from "@ratelimit/backend-redis";
import { RateLimiter } from "@ratelimit/core";
import { startStandalone } from "@ratelimit/testbed";
import { expect, inject, test } from "vitest";
import { strict } from "../support/strict.ts";

const { url } = inject("redis");

test("an aborted wait returns its token, even if Redis answers later", async () => {
  await using backend = new RedisBackend({ url, ...strict });
  const limiter = new RateLimiter({ name: randomUUID(), rate: 100, period: "1d", backend });
  await limiter.check("another key");
  const outcomes = await Promise.allSettled(
    Array.from({ length: 50 }, async () => {
      const controller = new AbortController();
      const wait = limiter.wait("key", { signal: controller.signal });
      await new Promise(setImmediate);
      controller.abort();
      return wait;
    }),
  );
  const admitted = outcomes.filter(({ status }) => status === "fulfilled").length;
  expect(admitted).toBeLessThan(50);
  await expect.poll(async () => (await limiter.peek("key")).remaining, { timeout: 5000 }).toBe(100 - admitted);
});

test("a reset by another process wakes a wait within a second", async () => {
  await using here = new RedisBackend({ url, ...strict });
  await using there = new RedisBackend({ url, ...strict });
  const options = { name: randomUUID(), rate: 1, period: "1d" } as const;
  const limiter = new RateLimiter({ ...options, backend: here });
  await limiter.check("key");
  const wait = limiter.wait("key");
  await sleep(50);
  await new RateLimiter({ ...options, backend: there }).reset("key");
  const start = performance.now();
  expect((await wait).allowed).toBe(true);
  expect(performance.now() - start).toBeLessThan(1500);
});

test("the end of an outage wakes a wait", { timeout: 40_000 }, async () => {
  await using redis = await startStandalone();
  await using backend = new RedisBackend({ url: redis.url, instances: 20, onOutage: () => {} });
  const limiter = new RateLimiter({ name: "wait", rate: 10, period: 1, burst: 100, backend });
  await limiter.check("key", { cost: 100 });
  redis.server.pause();
  // Redis would admit it after 0.5 s. This process alone, with its portion of a twentieth, would take 10 s.
  const wait = limiter.wait("key", { cost: 5 });
  await sleep(1000);
  redis.server.resume();
  const start = performance.now();
  expect(await wait).toMatchObject({ allowed: true, source: "backend" });
  expect(performance.now() - start).toBeLessThan(2000);
});
