import { setTimeout as sleep } from "node:timers/promises";
import { RedisBackend } from "@ratelimit/backend-redis";
import { type OutageEvent, RateLimiter } from "@ratelimit/core";
import { startFaultProxy } from "@ratelimit/testbed";
import { expect, inject, test } from "vitest";

const { hostname, port } = new URL(inject("redis").url);

/** Checks a key every 5 ms for `ms` milliseconds, and returns how long each check took. */
async function load(limiter: RateLimiter, ms: number): Promise<number[]> {
  const times: number[] = [];
  const calls: Promise<void>[] = [];
  const call = async (): Promise<void> => {
    const start = performance.now();
    await limiter.check(`key ${calls.length % 100}`, { cost: 0 });
    times.push(performance.now() - start);
  };
  const end = performance.now() + ms;
  while (performance.now() < end) {
    calls.push(call());
    await sleep(5);
  }
  await Promise.all(calls);
  return times;
}

test("a Redis that is slow half of the time delays few callers, and the end of each outage is reported", { timeout: 60_000 }, async () => {
  await using proxy = await startFaultProxy({ host: hostname, port: Number(port) });
  const events: OutageEvent[] = [];
  const onOutage = (event: OutageEvent): void => void events.push(event);
  await using backend = new RedisBackend({ url: `redis://${proxy.host}:${proxy.port}`, onOutage });
  const limiter = new RateLimiter({ rate: 1000, backend, name: "half-late" });
  await limiter.check("warm");
  let isOver = false;
  const toggling = (async (): Promise<void> => {
    for (let late = true; !isOver; late = !late) {
      await proxy.set(late ? { latency: { up: 75, down: 75 } } : "pass");
      await sleep(200);
    }
    await proxy.set("pass");
  })();
  const times = await load(limiter, 12_000);
  isOver = true;
  await toggling;
  const waited = times.filter((ms) => ms >= 100).length;
  process.stdout.write(`half late: ${waited} of ${times.length} calls waited for the deadline\n`);
  expect(waited / times.length).toBeLessThan(0.1);
  // Recovery of a backend that has come and gone takes up to eight successful probes in a row.
  const back = performance.now();
  while ((await limiter.check("key")).degraded && performance.now() - back < 10_000) await sleep(20);
  expect(performance.now() - back).toBeLessThan(5000);
  await sleep(50);
  expect(events.at(-1)?.recovered).toBe(true);
  for (const [i, { recovered }] of events.entries()) if (recovered) expect(events[i - 1]?.recovered).toBeUndefined();
});
