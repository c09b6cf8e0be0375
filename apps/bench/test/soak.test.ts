import { type Recorded, worstWindow } from "@ratelimit/conformance";
import { randomOf } from "@ratelimit/testbed/random";
import { expect, test } from "vitest";
import { type Bound, BoundChecker } from "../src/soak/bound-checker.ts";
import type { Reply } from "../src/soak/client.ts";
import { Latencies } from "../src/soak/latencies.ts";
import { rules } from "../src/soak/rules.ts";
import { failovers, type PlannedFailover } from "../src/soak/schedule.ts";
import { runningMs } from "../src/soak/stalls.ts";
import { Tally } from "../src/soak/tally.ts";
import { halves, slope } from "../src/soak/trend.ts";

/** Ten tokens at once, and one every 100 ms. */
const bound: Bound = { burst: 10, rate: 10, outageTokens: 25 };

/** Has a key admitted `count` times at `at`, in ms. */
function admit(checker: BoundChecker, at: number, count: number, key: number = 0): void {
  for (let i = 0; i < count; i++) checker.admitted(key, at, at);
}

/** Makes calls of random length on a key, and outages, and returns both checkers' worst excess. */
function compare(seed: number, admittedShare: number): { streamed: number; exact: number; mostMissed: number } {
  const random = randomOf(seed);
  const calls: Recorded[] = Array.from({ length: 400 }, () => {
    const from = Math.floor(random() * 20_000);
    const to = from + 1 + Math.floor(random() ** 8 * 150);
    return { key: "key", from, to, cost: 1, outcome: random() < admittedShare ? "admitted" : "refused" };
  });
  const outages = [3000.5, 11_000.5].map((from) => ({ name: "outage", from, to: from + 2000 * random(), tokens: bound.outageTokens }));
  const checker = new BoundChecker(1, bound);
  const steps = [
    ...calls.filter(({ outcome }) => outcome === "admitted").map(({ from, to }) => ({ at: to, run: () => checker.admitted(0, from, to) })),
    ...outages.flatMap(({ from, to }) => [
      { at: from, run: () => checker.outageBegins() },
      { at: to, run: () => checker.outageEnds(to) },
    ]),
  ];
  for (const { run } of steps.sort((a, b) => a.at - b.at)) run();
  const longest = Math.max(...calls.map(({ from, to }) => to - from));
  return {
    streamed: checker.worst.excess,
    exact: worstWindow(calls, { ...bound, allowances: outages }).excess,
    mostMissed: (2 * longest * bound.rate) / 1000,
  };
}

test("a key that gets exactly its burst and its rate is within the bound", () => {
  const checker = new BoundChecker(2, bound);
  admit(checker, 1000, 10);
  for (let i = 1; i <= 50; i++) admit(checker, 1000 + 100 * i, 1);
  admit(checker, 1000, 10, 1);
  expect(checker.worst.excess).toBeCloseTo(-0.02);
});

test("one token too many is found, and where", () => {
  const checker = new BoundChecker(2, bound);
  admit(checker, 500, 1);
  admit(checker, 5000, 10, 1);
  for (let i = 1; i <= 50; i++) admit(checker, 5000 + 100 * i, 1, 1);
  admit(checker, 10_000, 1, 1);
  expect(checker.worst).toMatchObject({ key: 1, from: 5000, to: 10_000 });
  expect(checker.worst.excess).toBeCloseTo(0.98);
});

test("a call counts only in windows that contain all of it", () => {
  const checker = new BoundChecker(1, bound);
  admit(checker, 1000, 10);
  // Redis may have charged it before the others, when the bucket had been full for a second.
  checker.admitted(0, 0, 1001);
  expect(checker.worst.excess).toBeLessThan(0);
  checker.admitted(0, 1000, 1002);
  expect(checker.worst.excess).toBeGreaterThan(0.9);
});

test("each outage allows its tokens once, and only in windows that contain some of it", () => {
  const checker = new BoundChecker(1, bound);
  admit(checker, 1000, 10);
  checker.outageBegins();
  admit(checker, 1000, 25);
  checker.outageEnds(1500);
  admit(checker, 1500, 5);
  expect(checker.worst.excess).toBeCloseTo(-0.02);
  admit(checker, 1500, 1);
  expect(checker.worst.excess).toBeCloseTo(0.98);

  const after = new BoundChecker(1, bound);
  after.outageBegins();
  after.outageEnds(1500);
  admit(after, 1501, 11);
  expect(after.worst.excess).toBeCloseTo(0.98);
});

test.each([0.5, 1])(
  "random histories with %s of the calls admitted: never more than the exact worst window, and hardly less",
  (admittedShare) => {
    for (let seed = 1; seed <= 200; seed++) {
      const { streamed, exact, mostMissed } = compare(seed, admittedShare);
      expect(streamed, `seed ${seed}`).toBeLessThanOrEqual(exact + 1e-9);
      expect(streamed, `seed ${seed}`).toBeGreaterThanOrEqual(exact - mostMissed);
    }
  },
);

test("the slope is that of the line which fits best", () => {
  const noisy = [1, 4, 5, 8, 9, 12].map((y, x) => ({ x, y }));
  expect(slope(noisy)).toBeCloseTo(2.086);
  expect(slope(noisy.map(({ x }) => ({ x, y: 7 })))).toBe(0);
  expect(slope([{ x: 1, y: 1 }])).toBeNaN();
});

test("points are divided by time, not by number", () => {
  const points = [0, 1, 2, 9, 10].map((x) => ({ x, y: 0 }));
  expect(halves(points).map((half) => half.map(({ x }) => x))).toEqual([
    [0, 1, 2],
    [9, 10],
  ]);
});

test("a call ran while none of its processes stood still", () => {
  const call = { from: 100, to: 200 };
  expect(runningMs(call, [])).toBe(100);
  // The second overlaps the first, and the last two reach beyond the call.
  const stalls = [
    { from: 140, to: 150 },
    { from: 120, to: 145 },
    { from: 90, to: 110 },
    { from: 195, to: 300 },
  ];
  expect(runningMs(call, stalls)).toBe(10 + 45);
  expect(runningMs(call, [{ from: 0, to: 1000 }])).toBe(0);
});

test("latencies keep percentiles, and only slow calls one by one", () => {
  const latencies = new Latencies(150);
  for (let i = 0; i < 99; i++) latencies.add({ server: 0, from: 1000, to: 1002 });
  latencies.add({ server: 2, from: 1000, to: 1200 });
  const { calls, p50Ms, p99Ms, longestMs, longestInTimeMs, slow } = latencies.figures;
  expect([calls, p50Ms, p99Ms, longestInTimeMs]).toEqual([100, 2, 2, 2]);
  expect(longestMs).toBeCloseTo(200, 0);
  expect(slow).toEqual([{ server: 2, from: 1000, to: 1200 }]);
  expect(new Latencies(150).figures).toMatchObject({ calls: 0, p50Ms: Number.NaN, longestMs: 0 });
});

test("replies are counted, and what was admitted is checked, unless one process alone decided it outside an outage", () => {
  const tally = new Tally({ knownKeys: 1, promisedMs: 150 });
  const { burst } = rules.known;
  const reply = { server: 1, kind: "known", key: 0, outcome: 200, isLocal: false } as const;
  const now = performance.timeOrigin + performance.now();
  const add = (count: number, change: Partial<Reply> = {}): void => {
    for (let i = 0; i < count; i++) tally.add({ ...reply, from: now, to: now, ...change });
  };
  add(burst);
  add(5, { isLocal: true });
  add(1, { outcome: 429 });
  add(1, { outcome: 500 });
  add(2, { outcome: "ECONNRESET" });
  expect(tally.totals.known.excess).toBeCloseTo(0);
  tally.outageBegins();
  add(3 * 1 + burst, { isLocal: true });
  expect(tally.outageEnds()).toMatchObject({ calls: 3 + burst, local: 3 + burst, lastLocalAt: [0, now, 0] });
  expect(tally.totals.known.excess).toBeCloseTo(0);
  expect(tally.report()).toMatchObject({ requests: 12 + 2 * burst, refused: 1, calmLocal: 5, calm: { calls: 9 + burst } });
  expect(tally.report()).toMatchObject({ requests: 0, refused: 0, calmLocal: 0, calm: { calls: 0 } });
  add(1);
  expect(tally.totals).toMatchObject({ requests: 13 + 2 * burst, failures: { 500: 1, ECONNRESET: 2 } });
  expect(tally.totals.known.excess).toBeCloseTo(1);
});

test("a seed repeats its failovers, another seed has others", () => {
  const waits = { leastWaitMs: 1000, mostWaitMs: 2000 };
  const first = (seed: number): PlannedFailover[] => {
    const planned = failovers(seed, waits);
    return Array.from({ length: 20 }, () => planned.next().value);
  };
  expect(first(7)).toEqual(first(7));
  expect(first(7)).not.toEqual(first(8));
  expect(new Set(first(7).map(({ kind }) => kind)).size).toBe(3);
});
