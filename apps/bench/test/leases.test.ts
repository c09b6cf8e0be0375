import { startStandalone } from "@ratelimit/testbed";
import { expect, test } from "vitest";
import { sharedMs } from "../src/leases/clock.ts";
import { idealOf, merge } from "../src/leases/history.ts";
import { callTimes, limit, loads, processes, type Traffic } from "../src/leases/loads.ts";
import { open, type Run, type Seen } from "../src/leases/station.ts";

/** The times of a traffic's calls in its first `ms` milliseconds. */
function timesOf(traffic: Traffic, ms: number): number[] {
  const times: number[] = [];
  for (const at of callTimes(traffic)) {
    if (at >= ms) break;
    times.push(at);
  }
  return times;
}

function seen(admitted: readonly number[]): Seen {
  return { batches: [5000, 0], admitted: admitted.flatMap((at) => [at, at]), decisions: 0, leased: 0, tookUs: [], inProcessUs: [] };
}

test.each(Object.values(loads))("$name: the processes make the calls that it says, and the same ones for a seed", ({ name, traffic }) => {
  const all = traffic(1);
  expect(all).toHaveLength(processes);
  const calls = all.reduce((sum, one) => sum + timesOf(one, 60_000).length, 0);
  const times = Number(/^([\d.]+) ×/.exec(name)?.[1] ?? 2); // "on and off" is 4 × the limit, half of the time
  expect(Math.abs(calls / (60 * limit.rate * times) - 1)).toBeLessThan(0.2);
  expect(timesOf(all[0] as Traffic, 1000)).toEqual(timesOf(traffic(1)[0] as Traffic, 1000));
});

test("pauses last 100 to 1,000 ms, and so do the times between them", () => {
  const times = timesOf({ perSecond: 2000, seed: 1, pauses: 2 }, 60_000);
  const pauses = times.map((at, i) => at - (times[i - 1] ?? 0)).filter((gap) => gap > 50);
  expect(pauses.length).toBeGreaterThan(40);
  expect(Math.min(...pauses)).toBeGreaterThan(95);
  expect(Math.max(...pauses)).toBeLessThan(1010);
});

test("the ideal is what one exact bucket admits, in the order of time", () => {
  expect(idealOf([[0, 1200]])).toBe(1000);
  expect(
    idealOf([
      [100, 200],
      [0, 1200],
    ]),
  ).toBe(1100);
  expect(idealOf(Array.from({ length: 1000 }, (_, i) => [2 * i, 1]))).toBe(1000);
});

test("tokens beyond the limit are found across processes, to a fraction of a token", () => {
  const at = (from: number, count: number, everyMs: number): number[] => Array.from({ length: count }, (_, i) => from + i * everyMs);
  expect(merge([seen(at(0, 1000, 0)), seen(at(1, 1000, 1))])).toMatchObject({ admitted: 2000, fewest: 1000, most: 1000, excess: 0 });
  expect(merge([seen(at(0, 1000, 0)), seen(at(0.5, 1000, 1))]).excess).toBeCloseTo(0.5, 9);
  expect(merge([seen(at(0, 600, 0)), seen(at(10, 600, 0))]).excess).toBeCloseTo(190, 9);
});

test.each([true, false])("a process records its calls, and is admitted what an exact bucket admits (leased: %s)", async (isLeased) => {
  await using redis = await startStandalone();
  const { prove, run } = open({ redis: redis.server.address });
  await prove?.(undefined as never);
  const job: Run = { isLeased, key: "a", startAt: sharedMs() + 10, ms: 1000, traffic: { perSecond: 4000, seed: 1 } };
  const seen = (await run?.(job as never)) as Seen;
  const { admitted, ideal, excess, decisions, leased } = merge([seen]);
  expect(decisions).toBe(timesOf(job.traffic, 1000).length);
  expect(leased > 0).toBe(isLeased);
  expect(ideal).toBeGreaterThan(1900);
  expect(admitted / ideal).toBeGreaterThan(0.9);
  expect(excess).toBeLessThanOrEqual(1);
  expect(seen.inProcessUs).toHaveLength(decisions);
});
