import { setTimeout as sleep } from "node:timers/promises";
import { RedisBackend } from "@ratelimit/backend-redis";
import { type Bound, type Recorded, worstWindow } from "@ratelimit/conformance";
import { type Backend, RateLimiter } from "@ratelimit/core";
import type {} from "@ratelimit/testbed";
import fc from "fast-check";
import { Redis } from "ioredis";
import { afterAll, describe, expect, inject, test } from "vitest";
import { clock } from "../../support/clock.ts";
import { strict } from "../../support/strict.ts";

const redis = new Redis(inject("redis").url);
afterAll(() => redis.disconnect());

const limit = { rate: 100, period: 1, burst: 50 } as const;

/** Returns whether it admits a call. */
type Limiter = (key: string) => Promise<boolean>;

/** Asks several limiters of one limit in turn for 1.5 s, and records every call. */
async function record(limiters: readonly Limiter[], key: string): Promise<Recorded[]> {
  const history: Recorded[] = [];
  const pending: Promise<void>[] = [];
  const ask = async (limiter: Limiter): Promise<void> => {
    const from = clock();
    const outcome = (await limiter(key)) ? "admitted" : "refused";
    history.push({ key, from, to: clock(), cost: 1, outcome });
  };
  for (const end = clock() + 1500; clock() < end; await sleep(5)) for (const limiter of limiters) pending.push(ask(limiter));
  await Promise.all(pending);
  return history;
}

/** Creates a limiter that reads a bucket from Redis, computes its state with this clock, and writes it back. */
function readThenWrite(now: () => number): Limiter {
  return async (key) => {
    const stored = await redis.hgetall(key);
    const at = now();
    const used = Math.max(0, Number(stored["used"] ?? 0) - (Math.max(0, at - Number(stored["at"] ?? at)) * limit.rate) / 1000);
    if (used + 1 > limit.burst) return false;
    await redis.hset(key, { used: used + 1, at });
    return true;
  };
}

/** Does the same in one step, so that only the clock of the client can be wrong. */
function byClientClock(now: () => number): Limiter {
  const lua = `
    local used, at = tonumber(redis.call('HGET', KEYS[1], 'used') or 0), tonumber(redis.call('HGET', KEYS[1], 'at') or ARGV[1])
    used = math.max(0, used - math.max(0, ARGV[1] - at) * ${limit.rate} / 1000)
    if used + 1 > ${limit.burst} then return 0 end
    redis.call('HSET', KEYS[1], 'used', tostring(used + 1), 'at', ARGV[1])
    return 1`;
  return async (key) => (await redis.eval(lua, 1, key, now())) === 1;
}

function ours(backend: Backend): Limiter {
  const limiter = new RateLimiter({ ...limit, name: "history", backend });
  return async (key) => (await limiter.check(key)).allowed;
}

describe("the history checker", () => {
  test.concurrent("finds nothing in four of our backends on one Redis", { timeout: 30_000 }, async () => {
    const backends = Array.from({ length: 4 }, () => new RedisBackend({ url: inject("redis").url, ...strict }));
    const history = await record(backends.map(ours), crypto.randomUUID());
    for (const backend of backends) await backend.close();
    expect(history.filter(({ outcome }) => outcome === "admitted").length).toBeGreaterThan(150);
    expect(worstWindow(history, limit).excess).toBeLessThanOrEqual(0);
  });

  test.concurrent.each([
    ["that reads and then writes", () => [0, 0, 0, 0].map(() => readThenWrite(Date.now))],
    [
      "that uses the clock of its client, if one client is 200 ms ahead",
      () => [0, 200].map((ahead) => byClientClock(() => Date.now() + ahead)),
    ],
    [
      "that gives each process the whole limit in an outage",
      () => {
        const nowhere = (): RedisBackend => new RedisBackend({ url: "redis://127.0.0.1:1", instances: 1, onOutage: () => {} });
        return [nowhere(), nowhere(), nowhere(), nowhere()].map(ours);
      },
    ],
  ] as const)("catches a limiter %s", { timeout: 30_000 }, async (_, make) => {
    const { excess } = worstWindow(await record(make(), crypto.randomUUID()), limit);
    process.stdout.write(`the history checker catches a limiter ${_}: ${excess.toFixed(0)} tokens beyond the bound\n`);
    expect(excess).toBeGreaterThan(5);
  });

  test.concurrent("accepts the same outage if each process gives a quarter", { timeout: 30_000 }, async () => {
    const nowhere = (): RedisBackend => new RedisBackend({ url: "redis://127.0.0.1:1", instances: 4, onOutage: () => {} });
    const history = await record([nowhere(), nowhere(), nowhere(), nowhere()].map(ours), "key");
    expect(worstWindow(history, limit).excess).toBeLessThanOrEqual(0);
  });

  test("finds the same window as a checker that tries all windows", () => {
    const calls = fc.array(
      fc.record({
        from: fc.nat(1000),
        ms: fc.nat(50),
        cost: fc.integer({ min: 0, max: 3 }),
        outcome: fc.constantFrom("admitted", "refused", "info"),
      }),
      { maxLength: 60 },
    );
    const allowances = fc.array(fc.record({ from: fc.nat(1000), ms: fc.nat(100), tokens: fc.nat(5) }), { maxLength: 3 });
    fc.assert(
      fc.property(calls, allowances, fc.integer({ min: 1, max: 100 }), fc.nat(10), (drawn, events, rate, burst) => {
        const history = drawn.map(({ from, ms, cost, outcome }): Recorded => ({ key: "key", from, to: from + ms, cost, outcome }));
        const bound = { rate, burst, allowances: events.map(({ from, ms, tokens }) => ({ name: "event", from, to: from + ms, tokens })) };
        expect(worstWindow(history, bound).excess).toBeCloseTo(worstByTrying(history, bound), 6);
      }),
    );
  });
});

function worstByTrying(history: readonly Recorded[], { rate, burst, allowances = [] }: Bound): number {
  const admitted = history.filter(({ outcome, cost }) => outcome === "admitted" && cost > 0);
  const excesses = admitted.flatMap(({ from }) =>
    admitted
      .filter(({ to }) => to >= from)
      .map(({ to }) => {
        const inside = admitted.filter((call) => call.from >= from && call.to <= to).reduce((sum, { cost }) => sum + cost, 0);
        const allowed = allowances.filter((event) => event.to >= from && event.from <= to).reduce((sum, { tokens }) => sum + tokens, 0);
        return inside - burst - allowed - ((to - from + 2) * rate) / 1000;
      }),
  );
  return Math.max(Number.NEGATIVE_INFINITY, ...excesses);
}
