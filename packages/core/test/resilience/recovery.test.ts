import { definePolicy, type OutageEvent, resilient } from "@ratelimit/core";
import type { BackendReply, DecisionSource, KeyScope, ResilientBackend } from "@ratelimit/core/backend";
import { randomOf } from "@ratelimit/testbed/random";
import { describe, expect, test } from "vitest";
import { ManualTime } from "../support/manual-time.ts";

const scope: KeyScope = { prefix: "test:", policy: definePolicy({ rate: 1_000_000, period: 1 }) };
const yes: BackendReply = { allowed: true, used: 0 };

/** Creates a backend whose latency the test sets, and records what is reported about it. */
function bench(delayOf: (now: number) => number): {
  time: ManualTime;
  backend: ResilientBackend;
  events: (OutageEvent & { readonly at: number })[];
  /** Makes a call every `everyMs` for `ms`, and returns who decided each and how long it took. */
  load: (ms: number, everyMs: number) => Promise<{ source: DecisionSource; ms: number }[]>;
} {
  const time = new ManualTime();
  const events: (OutageEvent & { at: number })[] = [];
  const answer = (): Promise<BackendReply> => time.after(delayOf(time.now()), yes);
  const backend = resilient(
    { take: answer, adjust: answer, block: () => {}, reset: () => {}, close: () => {} },
    { onOutage: (event) => events.push({ ...event, at: time.now() }) },
    { time },
  );
  const load = async (ms: number, everyMs: number): Promise<{ source: DecisionSource; ms: number }[]> => {
    const calls: Promise<{ source: DecisionSource; ms: number }>[] = [];
    const call = async (): Promise<{ source: DecisionSource; ms: number }> => {
      const start = time.now();
      const { source = "backend" } = await backend.take(scope, `key ${calls.length}`, 1);
      return { source, ms: time.now() - start };
    };
    for (let at = 0; at < ms; at += everyMs) {
      calls.push(call());
      await time.pass(everyMs);
    }
    await time.pass(200);
    return Promise.all(calls);
  };
  return { time, backend, events, load };
}

const shape = (events: readonly OutageEvent[]): [string, boolean][] =>
  events.map(({ class: kind, recovered = false }) => [kind, recovered]);

describe("every reported outage is also reported as over", () => {
  test("after one late answer: once, on the next timely one", async () => {
    const { events, load } = bench((now) => (now === 50 ? 150 : 1));
    const decided = await load(5000, 10);
    expect(decided.filter(({ source }) => source === "local")).toHaveLength(1);
    expect(shape(events)).toEqual([
      ["timeout", false],
      ["timeout", true],
    ]);
    expect((events[1]?.at as number) - (events[0]?.at as number)).toBeLessThanOrEqual(11);
  });

  test("after occasional late answers: at most one pair of events per second", async () => {
    const chance = randomOf(1);
    const { events, load } = bench(() => (chance() < 0.05 ? 150 : 1));
    await load(20_000, 10);
    expect(events.length).toBeGreaterThan(20);
    expect(events.length).toBeLessThanOrEqual(42);
    for (const [i, { recovered = false }] of events.entries()) expect(recovered).toBe(i % 2 === 1);
  });

  test("after an outage that opened the breaker: when a probe is answered, not a call that was in flight", async () => {
    const { time, events, load } = bench((now) => (now < 2000 ? 10_000 : 1));
    await load(4000, 10);
    expect(shape(events)).toEqual([
      ["timeout", false],
      ["timeout", true],
    ]);
    expect(events[1]?.at).toBeGreaterThanOrEqual(2000);
    expect(events[1]?.at).toBeLessThan(3000);
    expect(time.now()).toBeGreaterThan(4000);
  });
});

test.each([
  ["each at random", (random: () => number) => (): number => (random() < 0.5 ? 150 : 1)],
  [
    "in blocks of 200 ms",
    () =>
      (now: number): number =>
        now % 400 < 200 ? 150 : 1,
  ],
])("if half of a backend's answers are late for two minutes (%s), fewer than 5% of callers wait for the deadline", async (_, make) => {
  for (const everyMs of [2, 10, 50]) {
    const { load } = bench(make(randomOf(everyMs)));
    // Half a minute is too short. The delays between probes are random, and in an unlucky run 9 % of the callers wait; over two minutes,
    // no run of 160 came to more than 2.5 %.
    const decided = await load(120_000, everyMs);
    const waited = decided.filter(({ ms }) => ms >= 100).length;
    expect(waited / decided.length, `a call every ${everyMs} ms`).toBeLessThan(0.05);
  }
});

test.each([
  ["a segment lost once a minute that holds up everything for 200 ms", (now: number): number => Math.max(1, 200 - (now % 60_000)), 1 / 300],
  ["100 blips of 50 ms", (now: number): number => Math.max(1, 50 - (now % 150)), 0],
])("with %s, the breaker stays closed", async (_, delayOf, mostLocal) => {
  for (const everyMs of [2, 30]) {
    const { load } = bench(delayOf);
    const decided = await load(60_000, everyMs);
    const local = decided.filter(({ source }) => source === "local");
    expect(local.length / decided.length, `a call every ${everyMs} ms`).toBeLessThanOrEqual(mostLocal);
    // Every call decided locally waited for Redis first: none was turned away by an open breaker.
    expect(local.every(({ ms }) => ms === 100)).toBe(true);
  }
});
