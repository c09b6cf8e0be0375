import { setTimeout as sleep } from "node:timers/promises";
import { startFaultProxy, startStandalone } from "@ratelimit/testbed";
import { describe, test } from "vitest";
import { clock } from "../test/support/clock.ts";
import { excessOf, figures, lateOf, noiseOf, runFault, sources } from "../test/support/fault.ts";
import { startFleet } from "../test/support/fleet.ts";

describe("Redis decides again within a second", () => {
  test.concurrent.for([13_000, 31_000])("after it was frozen for %i ms", { timeout: 60_000 }, async (forMs, { expect }) => {
    await using redis = await startStandalone();
    const { problems } = await runFault(`frozen ${forMs} ms`, {
      backend: { url: redis.url },
      hurt: () => redis.server.pause(),
      heal: () => redis.server.resume(),
      forMs,
      meanwhile: "local",
    });
    expect(problems).toEqual([]);
  });

  test.concurrent.for([13_000, 31_000])("after it was down for %i ms", { timeout: 60_000 }, async (forMs, { expect }) => {
    await using redis = await startStandalone();
    const { problems } = await runFault(`down ${forMs} ms`, {
      backend: { url: redis.url },
      hurt: () => redis.server.kill(),
      heal: () => redis.server.restart(),
      forMs,
      meanwhile: "local",
    });
    expect(problems).toEqual([]);
  });

  test.concurrent("after all packets were dropped for 13 s, within three seconds", { timeout: 60_000 }, async ({ expect }) => {
    await using redis = await startStandalone();
    await using proxy = await startFaultProxy(redis);
    const { problems } = await runFault("packets dropped for 13000 ms", {
      backend: { url: `redis://${proxy.host}:${proxy.port}` },
      hurt: async () => {
        await proxy.set("blackholeEstablished");
        await proxy.set("blackholeNew");
      },
      heal: () => proxy.set("pass"),
      forMs: 13_000,
      meanwhile: "local",
      backMs: 3000,
    });
    expect(problems).toEqual([]);
  });
});

test("four processes with a quarter each admit exactly the limit while Redis is frozen for 4 s", { timeout: 60_000 }, async ({
  expect,
}) => {
  await using redis = await startStandalone();
  const limit = { rate: 200, period: 1, burst: 20 } as const;
  const processes = 4;
  await using fleet = await startFleet(processes, {
    backend: { url: redis.url, instances: processes },
    name: "share",
    limit,
    keys: ["a", "b"],
    everyMs: 8,
  });
  await sleep(1500);
  const hurtAt = clock();
  redis.server.pause();
  await sleep(4000);
  redis.server.resume();
  const healedAt = clock();
  await sleep(2000);
  const { decisions, events } = await fleet.stop();

  const settledAt = hurtAt + 900;
  const during = decisions.filter(({ from }) => from > settledAt && from < healedAt);
  const admitted = during.filter(({ limiter, outcome }) => limiter === "tight" && outcome === "admitted").length;
  const share = admitted / ((limit.rate * (healedAt - settledAt)) / 1000);
  process.stdout.write(`four processes: ${figures(decisions)}; ${(100 * share).toFixed(1)} % of the limit during the outage\n`);
  expect(lateOf(decisions)).toEqual([]);
  expect(events.flatMap(noiseOf)).toEqual([]);
  expect(sources(during)).toBe("local");
  expect(share).toBeGreaterThan(0.95);
  expect(share).toBeLessThan(1.05);
  const onset = processes * Math.max(1, limit.burst / processes);
  const allowances = [
    { name: "frozen", from: hurtAt, to: settledAt, tokens: onset },
    { name: "back", from: healedAt, to: healedAt + 1000, tokens: limit.burst },
  ];
  expect(excessOf(decisions, allowances, limit)).toEqual([]);
});
