import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { RedisBackend } from "@ratelimit/backend-redis";
import { RateLimiter } from "@ratelimit/core";
import { startStandalone } from "@ratelimit/testbed";
import { afterEach, expect, inject, test, vi } from "vitest";

// Users turn on fake timers to test their own code, and may not think of the limiter behind it.
const { url } = inject("redis");
afterEach(() => void vi.useRealTimers());

function limiterOn(backend: RedisBackend): RateLimiter {
  return new RateLimiter({ rate: 5, period: "1h", name: randomUUID(), backend });
}

test("under fake timers Redis answers on a connection that was opened before them", async () => {
  await using backend = new RedisBackend({ url });
  const limiter = limiterOn(backend);
  await limiter.check("key");
  vi.useFakeTimers();
  for (const remaining of [3, 2, 1]) expect(await limiter.check("key")).toMatchObject({ source: "backend", remaining });
  await limiter.reset("key");
  expect((await limiter.peek("key")).remaining).toBe(5);
});

test("under fake timers Redis answers on a connection that is opened under them", async () => {
  vi.useFakeTimers();
  await using backend = new RedisBackend({ url });
  expect(await limiterOn(backend).check("key")).toMatchObject({ source: "backend", remaining: 4 });
});

test("under fake timers simultaneous calls are all decided", async () => {
  await using backend = new RedisBackend({ url });
  const limiter = limiterOn(backend);
  await limiter.check("key");
  vi.useFakeTimers();
  const results = await Promise.all(Array.from({ length: 6 }, () => limiter.check("key")));
  expect(results.filter(({ allowed }) => allowed)).toHaveLength(4);
  expect(results.filter(({ source }) => source === "local")).toEqual([]);
});

test("under fake timers the start and end of an outage are noticed", async () => {
  await using redis = await startStandalone();
  await using backend = new RedisBackend({ url: redis.url, onOutage: () => {} });
  const limiter = limiterOn(backend);
  await limiter.check("key");
  vi.useFakeTimers();
  redis.server.pause();
  // After ten times 100 ms the breaker has opened, and only its own probe closes it.
  for (let calls = 0; calls < 10; calls++) expect((await limiter.check("key")).source).toBe("local");
  redis.server.resume();
  let source = "local";
  for (let tries = 0; tries < 100 && source === "local"; tries++) {
    await sleep(50); // in real time, unlike vitest's own ways to wait
    ({ source } = await limiter.peek("key"));
  }
  expect(source).toBe("backend");
});
