import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { RedisBackend } from "@ratelimit/backend-redis";
import { RateLimiter } from "@ratelimit/core";
import { startFaultProxy, startStandalone } from "@ratelimit/testbed";
import { Redis } from "ioredis";
import { describe, test } from "vitest";
import { clock } from "../../support/clock.ts";
import { figures, lateOf, noiseOf, percentile, sources } from "../../support/fault.ts";
import { Events, Load } from "../../support/load.ts";

describe.concurrent("a server that was down at the start", () => {
  test.concurrent.for([1000, 4000])("and comes up after %i ms decides within a second", { timeout: 40_000 }, async (downMs, { expect }) => {
    await using server = await startStandalone();
    await server.server.kill();
    const events = new Events();
    await using backend = new RedisBackend({ url: server.url, onOutage: events.listener });
    const load = new Load(backend);
    await sleep(downMs);
    const start = clock();
    await server.server.restart();
    const upAt = clock();
    await sleep(1500);
    const decisions = await load.stop();
    const last = Math.max(...decisions.filter(({ source }) => source === "local").map(({ from }) => from));
    process.stdout.write(`down at start for ${downMs} ms: ${figures(decisions)}; back ${(last - upAt).toFixed()} ms after it was up\n`);
    expect([...lateOf(decisions), ...noiseOf(events)]).toEqual([]);
    expect(sources(decisions.filter(({ to }) => to < start))).toBe("local");
    expect(last - upAt).toBeLessThanOrEqual(1000);
    expect(events.recovered).toBe(1);
  });
});

test.concurrent("100 blips of 50 ms cause no local decision and never open the breaker", { timeout: 40_000 }, async ({ expect }) => {
  await using server = await startStandalone();
  const events = new Events();
  // Twice the usual timeout, so that a busy machine does not look like a longer blip.
  await using backend = new RedisBackend({ url: server.url, timeout: "200ms", denyCache: false, onOutage: events.listener });
  const load = new Load(backend, { timeoutMs: 200 });
  for (let blip = 0; blip < 100; blip++) {
    server.server.pause();
    await sleep(50);
    server.server.resume();
    await sleep(20);
  }
  const decisions = await load.stop();
  process.stdout.write(`100 blips of 50 ms: ${figures(decisions)}\n`);
  expect(lateOf(decisions)).toEqual([]);
  expect(events.all).toEqual([]);
  expect(sources(decisions)).toBe("backend");
});

test.concurrent("with a latency of 150 to 300 ms all calls are decided locally, without flapping", { timeout: 40_000 }, async ({
  expect,
}) => {
  await using server = await startStandalone();
  await using proxy = await startFaultProxy(server);
  const events = new Events();
  await using backend = new RedisBackend({ url: `redis://${proxy.host}:${proxy.port}`, onOutage: events.listener });
  const load = new Load(backend);
  await sleep(300);
  const slowAt = clock();
  for (const up of [75, 150, 80, 120, 90, 150, 75]) {
    await proxy.set({ latency: { up, down: up } });
    await sleep(500);
  }
  const decisions = await load.stop();
  process.stdout.write(`latency of 150 to 300 ms: ${figures(decisions)}\n`);
  expect([...lateOf(decisions), ...noiseOf(events)]).toEqual([]);
  expect(sources(decisions.filter(({ from }) => from > slowAt + 200))).toBe("local");
  expect(events.recovered).toBe(0);
});

test.concurrent("a call whose reply is lost is not repeated, so every call is executed at most once", { timeout: 40_000 }, async ({
  expect,
}) => {
  await using server = await startStandalone();
  await using proxy = await startFaultProxy(server);
  const events = new Events();
  await using backend = new RedisBackend({ url: `redis://${proxy.host}:${proxy.port}`, onOutage: events.listener });
  // So slow that no token is refilled during the test, and the bucket counts every execution.
  const limiter = new RateLimiter({ rate: 1, period: "10d", burst: 100_000, name: randomUUID(), backend });
  let [acknowledged, attempted] = [0, 0];
  const end = clock() + 4000;
  while (clock() < end) {
    if (attempted % 20 === 10) await proxy.set("cutOnReply");
    attempted++;
    if ((await limiter.check("key")).source === "backend") acknowledged++;
    await sleep(5);
  }
  const redis = new Redis(server.url);
  const ttl = await redis.pttl(`ratelimit:${limiter.name}:key`);
  redis.disconnect();
  const charged = Math.round(ttl / 864_000_000);
  const lost = attempted - acknowledged;
  process.stdout.write(`lost replies: ${attempted} attempted, ${acknowledged} acknowledged, ${charged} charged\n`);
  expect(lost).toBeGreaterThan(5);
  expect(charged).toBeGreaterThanOrEqual(acknowledged);
  expect(charged).toBeLessThanOrEqual(attempted);
});

test.concurrent("a key with a value of another type is the only one decided locally, and keeps its value", { timeout: 40_000 }, async ({
  expect,
}) => {
  await using server = await startStandalone();
  const redis = new Redis(server.url);
  const events = new Events();
  await using backend = new RedisBackend({ url: server.url, onOutage: events.listener });
  const limiter = new RateLimiter({ rate: 10, period: 60, name: "users", backend });
  await redis.rpush("ratelimit:users:secret-key", "theirs");
  const results = [];
  for (let i = 0; i < 60; i++) {
    results.push(await limiter.check("secret-key"));
    expect((await limiter.check(`other ${i % 30}`)).source).toMatch(/^backend$/);
    await sleep(25);
  }
  expect(results.filter(({ allowed }) => allowed).length).toBe(10);
  expect(new Set(results.map(({ source }) => source))).toEqual(new Set(["local"]));
  expect(await redis.lrange("ratelimit:users:secret-key", 0, -1)).toEqual(["theirs"]);
  expect(new Set(events.all.map((event) => event.class))).toEqual(new Set(["key"]));
  expect(JSON.stringify(events.all)).not.toContain("secret-key");
  expect(noiseOf(events)).toEqual([]);
  redis.disconnect();
});

test.concurrent("if the host name is not found, calls are decided locally and in time, and an event says so", { timeout: 40_000 }, async ({
  expect,
}) => {
  const events = new Events();
  await using backend = new RedisBackend({ url: "redis://no-such-host.invalid", onOutage: events.listener });
  const load = new Load(backend);
  await sleep(1500);
  const decisions = await load.stop();
  expect([...lateOf(decisions), ...noiseOf(events)]).toEqual([]);
  expect(sources(decisions)).toBe("local");
  expect(events.reasons).toMatch(/ENOTFOUND|EAI_AGAIN|No answer/);
});

test.concurrent("after the server is killed, 99 % of 4,000 local decisions take at most 5 ms", { timeout: 40_000 }, async ({ expect }) => {
  await using server = await startStandalone();
  await using backend = new RedisBackend({ url: server.url, onOutage: () => {} });
  const limiter = new RateLimiter({ name: "killed", rate: 1_000_000, period: 1, backend });
  await limiter.check("key");
  await server.server.kill();
  await sleep(200);
  await limiter.check("key");
  const times: number[] = [];
  for (let i = 0; i < 4000; i++) {
    const start = performance.now();
    expect((await limiter.check(`key ${i}`)).degraded).toBe(true);
    times.push(performance.now() - start);
    if (i % 4 === 0) await new Promise(setImmediate);
  }
  process.stdout.write(`local decisions: p50 ${percentile(times, 0.5).toFixed(3)} p99 ${percentile(times, 0.99).toFixed(3)} ms\n`);
  expect(percentile(times, 0.99)).toBeLessThanOrEqual(5);
});
