import { setTimeout as sleep } from "node:timers/promises";
import { RedisBackend } from "@ratelimit/backend-redis";
import { RateLimiter } from "@ratelimit/core";
import { startCluster, startFaultProxy, startStandalone } from "@ratelimit/testbed";
import { Cluster, Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { like } from "../support/like.ts";
import { strict } from "../support/strict.ts";

const limitMs = 2500;

/** Closes a backend twice at once, and returns how many ms that took. */
async function closing(backend: RedisBackend): Promise<number> {
  const start = performance.now();
  await Promise.all([backend.close(), backend.close()]);
  return performance.now() - start;
}

/** Starts calls and returns a promise for their outcomes. */
function callsOn(backend: RedisBackend): Promise<PromiseSettledResult<unknown>[]> {
  const limiter = new RateLimiter({ rate: 100, period: 60, backend, name: "closing" });
  return Promise.allSettled([limiter.check("a"), limiter.check("b"), limiter.reset("c")]);
}

/** Makes the same calls once, so that the server or the nodes know the scripts. */
async function connected(backend: RedisBackend): Promise<RedisBackend> {
  for (const outcome of await callsOn(backend)) expect(outcome).toMatchObject({ status: "fulfilled" });
  return backend;
}

const { url, cluster, sentinels } = inject("redis");

describe("a connected backend", () => {
  test.each([
    ["url", { url }],
    ["cluster", { cluster }],
    ["sentinels", { sentinels: sentinels.addresses, name: sentinels.name }],
  ])("opened with `%s` finishes the calls in flight and closes", async (_, options) => {
    const backend = await connected(new RedisBackend({ ...options, ...strict }));
    const calls = callsOn(backend);
    await sleep(0);
    expect(await closing(backend)).toBeLessThan(500);
    for (const outcome of await calls) expect(outcome).toMatchObject({ status: "fulfilled" });
  });

  test.each([
    ["url", { url }],
    ["cluster", { cluster }],
    ["sentinels", { sentinels: sentinels.addresses, name: sentinels.name }],
  ])("opened with `%s` lets Redis decide every call made before it closes, however many", async (_, options) => {
    const backend = await connected(new RedisBackend({ ...options, ...strict }));
    const limiter = new RateLimiter({ rate: 100, period: 60, backend, name: "closing-many" });
    const calls = Array.from({ length: 2000 }, (_, i) => limiter.check(`key ${i}`, { cost: 0 }));
    const resets = Array.from({ length: 20 }, (_, i) => limiter.reset(`key ${i}`));
    const closed = closing(backend);
    for (const { source } of await Promise.all(calls)) expect(source).toBe("backend");
    await Promise.all(resets);
    expect(await closed).toBeLessThan(limitMs);
  });

  test.each([
    ["url", { url }],
    ["cluster", { cluster }],
    ["sentinels", { sentinels: sentinels.addresses, name: sentinels.name }],
  ])("opened with `%s` can close before it has connected", async (_, options) => {
    const calls: Promise<unknown>[] = [];
    for (const delayMs of [0, 1, 5, 20]) {
      const backend = new RedisBackend({ ...options, ...strict });
      calls.push(callsOn(backend));
      await sleep(delayMs);
      expect(await closing(backend)).toBeLessThan(limitMs);
    }
    await Promise.all(calls);
  });

  test("leaves a client that was passed in unchanged and working", async () => {
    for (const client of [new Redis(url), new Cluster([...cluster])]) {
      const events = client.eventNames();
      const backend = await connected(new RedisBackend({ client, ...strict }));
      expect(await closing(backend)).toBeLessThan(100);
      expect(client.eventNames()).toEqual(events);
      expect(await client.ping()).toBe("PONG");
      client.disconnect();
    }
  });

  test("is closed by `await using`, and then rejects calls with a reason", async () => {
    let limiter: RateLimiter;
    {
      await using backend = new RedisBackend({ url, ...strict });
      limiter = new RateLimiter({ rate: 1, backend, name: "closed" });
      await limiter.check("key");
    }
    for (const outcome of await Promise.allSettled([limiter.check("key"), limiter.refund("key"), limiter.reset("key")]))
      expect(outcome).toMatchObject({ status: "rejected", reason: { code: "INVALID_OPTION", message: like(/closed/) } });
  });
});

describe.concurrent("a backend closes within 2.5 s if", () => {
  test("its server is frozen", async () => {
    await using own = await startStandalone();
    const backend = await connected(new RedisBackend({ url: own.url, ...strict }));
    own.server.pause();
    const calls = callsOn(backend);
    await sleep(0);
    expect(await closing(backend)).toBeLessThan(limitMs);
    for (const outcome of await calls) expect(outcome).toMatchObject({ status: "rejected", reason: { code: "BACKEND" } });
  });

  test.each(["100ms", "5s"] as const)(
    "its server is frozen, and this process decides the calls made before (`timeout` %s)",
    async (timeout) => {
      await using own = await startStandalone();
      const backend = new RedisBackend({ url: own.url, onOutage: () => {}, timeout });
      const limiter = new RateLimiter({ rate: 100, period: 60, backend, name: "closing-local" });
      await limiter.check("key");
      own.server.pause();
      const calls = Array.from({ length: 100 }, (_, i) => limiter.check(`key ${i}`));
      expect(await closing(backend)).toBeLessThan(limitMs);
      for (const { source } of await Promise.all(calls)) expect(source).toBe("local");
    },
  );

  test("its server is down, whether or not it had connected", async () => {
    await using own = await startStandalone();
    const seen = await connected(new RedisBackend({ url: own.url, ...strict }));
    await own.server.kill();
    const never = new RedisBackend({ url: own.url, ...strict });
    const calls = callsOn(never);
    await sleep(100);
    for (const backend of [seen, never]) expect(await closing(backend)).toBeLessThan(limitMs);
    for (const outcome of await calls) expect(outcome).toMatchObject({ status: "rejected", reason: { code: "BACKEND" } });
  });

  test("its server accepts connections but stays silent", async () => {
    await using proxy = await startFaultProxy({ host: new URL(url).hostname, port: Number(new URL(url).port) });
    await proxy.set("blackholeNew");
    const backend = new RedisBackend({ url: `redis://${proxy.host}:${proxy.port}`, ...strict });
    const calls = callsOn(backend);
    await sleep(100);
    expect(await closing(backend)).toBeLessThan(limitMs);
    for (const outcome of await calls) expect(outcome).toMatchObject({ status: "rejected" });
  });

  test("its Sentinels are down", async () => {
    await using own = await startStandalone();
    await own.server.kill();
    const backend = new RedisBackend({ sentinels: [own.server.address], name: "mymaster", ...strict });
    const calls = callsOn(backend);
    await sleep(100);
    expect(await closing(backend)).toBeLessThan(limitMs);
    for (const outcome of await calls) expect(outcome).toMatchObject({ status: "rejected" });
  });

  describe("its Cluster", () => {
    let own: Awaited<ReturnType<typeof startCluster>>;
    beforeAll(async () => {
      own = await startCluster({ replicas: 0 });
    }, 30_000);
    afterAll(() => own.stop());

    test("is frozen, then down", async () => {
      const [seen, down] = [
        // Its user tolerates silent connections for a minute, but close() must not.
        await connected(new RedisBackend({ cluster: own.addresses, options: { redisOptions: { socketTimeout: 60_000 } }, ...strict })),
        await connected(new RedisBackend({ cluster: own.addresses, ...strict })),
      ];
      for (const master of own.masters) master.pause();
      const never = new RedisBackend({ cluster: own.addresses, ...strict });
      const calls = [callsOn(seen), callsOn(never)];
      await sleep(100);
      for (const backend of [seen, never]) expect(await closing(backend)).toBeLessThan(limitMs);
      for (const master of own.masters) await master.kill();
      await sleep(100);
      expect(await closing(down)).toBeLessThan(limitMs);
      const late = new RedisBackend({ cluster: own.addresses, ...strict });
      calls.push(callsOn(late));
      await sleep(100);
      expect(await closing(late)).toBeLessThan(limitMs);
      for (const outcome of (await Promise.all(calls)).flat()) expect(outcome).toMatchObject({ status: "rejected" });
    });
  });
});
