import { randomOf } from "@ratelimit/testbed/random";
import { describe, expect, test } from "vitest";
import { ManualClock } from "../../src/clock.ts";
import { CircuitBreaker, type Failure } from "../../src/resilience/circuit-breaker.ts";

/** Creates a breaker whose clock the test moves and whose probes the test answers. */
function bench(): {
  breaker: CircuitBreaker;
  clock: ManualClock;
  /** The timers that the breaker started, and whether they are waiting, cancelled or fired. */
  timers: { ms: number; state: "waiting" | "cancelled" | "fired"; fire: () => void }[];
  probes: { back: () => Promise<void>; out: () => Promise<void> }[];
  closings: () => number;
  fail: (failure: Failure, times?: number) => void;
} {
  const clock = new ManualClock();
  const timers: ReturnType<typeof bench>["timers"] = [];
  const probes: ReturnType<typeof bench>["probes"] = [];
  let closings = 0;
  const breaker = new CircuitBreaker({
    clock,
    later: (callback, ms) => {
      const timer = {
        ms,
        state: "waiting" as "waiting" | "cancelled" | "fired",
        fire: (): void => {
          if (timer.state !== "waiting") throw new Error(`The timer has ${timer.state}`);
          timer.state = "fired";
          callback();
        },
      };
      timers.push(timer);
      return () => {
        if (timer.state === "waiting") timer.state = "cancelled";
      };
    },
    probe: () =>
      new Promise<void>((resolve, reject) => {
        const settled = async (): Promise<void> => {
          for (let turn = 0; turn < 5; turn++) await Promise.resolve();
        };
        probes.push({
          back: async () => {
            resolve();
            await settled();
          },
          out: async () => {
            reject(new Error("out"));
            await settled();
          },
        });
      }),
    onClose: () => closings++,
    onState: () => {},
  });
  const fail = (failure: Failure, times: number = 1): void => {
    for (let i = 0; i < times; i++) breaker.failed(failure, clock.now());
  };
  return { breaker, clock, timers, probes, closings: () => closings, fail };
}

describe("a breaker", () => {
  test("opens on the first certain failure", () => {
    const { breaker, fail } = bench();
    fail("certain");
    expect(breaker.isOpen).toBe(true);
  });

  test.each([
    ["5 failures over 500 ms", 5, 500, true],
    ["5 failures over 499 ms", 5, 499, false],
    ["4 failures over 10 s", 4, 10_000, false],
    ["1,000 failures at one moment", 1000, 0, false],
  ])("opens on failures that may be chance only after five of them over 500 ms: %s", (_, failures, ms, opens) => {
    const { breaker, clock, fail } = bench();
    fail("maybe", failures - 1);
    clock.advance(ms);
    fail("maybe");
    expect(breaker.isOpen).toBe(opens);
  });

  test.each([
    ["half of all calls", 1, 1, true],
    ["three of four calls", 3, 1, true],
    ["a third of all calls", 1, 2, false],
    ["one in fifty calls", 1, 49, false],
  ])("opens if half of all calls are late, but not at a third: %s", (_, late, inTime, opens) => {
    for (const everyMs of [1, 10, 50]) {
      const { breaker, clock, fail } = bench();
      const start = clock.now();
      while (!breaker.isOpen && clock.now() - start < 60_000) {
        for (let i = 0; i < inTime; i++, clock.advance(everyMs)) breaker.good();
        for (let i = 0; i < late; i++, clock.advance(everyMs)) fail("maybe");
      }
      expect(breaker.isOpen, `a call every ${everyMs} ms`).toBe(opens);
      if (opens) expect(clock.now() - start).toBeLessThan(2000);
    }
  });

  test("opens within seconds if half of all calls, at random, are late", () => {
    const openings = Array.from({ length: 200 }, (_, seed) => {
      const { breaker, clock, fail } = bench();
      const chance = randomOf(seed);
      for (; !breaker.isOpen && clock.now() < 60_000; clock.advance(5)) {
        if (chance() < 0.5) fail("maybe");
        else breaker.good();
      }
      return clock.now();
    }).sort((a, b) => a - b);
    expect(openings[100]).toBeLessThan(1000);
    expect(openings[199]).toBeLessThan(10_000);
  });

  test.each([
    ["under load", 5],
    ["with few calls", 40],
  ])("does not open on one lost TCP segment, which makes every call within 100 ms late (%s)", (_, everyMs) => {
    const { breaker, clock, fail } = bench();
    for (let minute = 0; minute < 10; minute++) {
      for (let ms = 0; ms < 60_000; ms += everyMs, clock.advance(everyMs)) {
        if (ms >= 1000 && ms < 1100) fail("maybe");
        else breaker.good();
      }
    }
    // An opened breaker would still be open, because no probe is answered.
    expect(breaker.isOpen).toBe(false);
  });

  test("does not open on failures long past, because counting restarts after 2 s and an answer", () => {
    const { breaker, clock, fail } = bench();
    for (let hour = 0; hour < 100; hour++) {
      fail("maybe", 4);
      clock.advance(3_600_000);
      breaker.good();
      expect(breaker.isOpen).toBe(false);
    }
  });

  test("counts from when the first unanswered call was sent, not from when it timed out", () => {
    const { breaker, clock } = bench();
    const sentAt = clock.now();
    clock.advance(500);
    for (let i = 0; i < 5; i++) breaker.failed("maybe", sentAt);
    expect(breaker.isOpen).toBe(true);
  });
});

describe("an open breaker", () => {
  test("probes every 250 to 500 ms, one at a time, until a probe is answered", async () => {
    const { breaker, timers, probes, closings, fail } = bench();
    fail("certain", 10);
    for (let i = 0; i < 200; i++) {
      expect(timers).toHaveLength(i + 1);
      expect(probes).toHaveLength(i);
      timers[i]?.fire();
      await probes[i]?.out();
    }
    expect(timers.every(({ ms }) => ms >= 250 && ms <= 500)).toBe(true);
    expect(new Set(timers.map(({ ms }) => Math.round(ms / 25))).size).toBeGreaterThan(5);
    expect([breaker.isOpen, closings()]).toEqual([true, 0]);
    timers[200]?.fire();
    await probes[200]?.back();
    expect([breaker.isOpen, closings(), timers.length]).toEqual([false, 1, 201]);
  });

  test("starts no second probe while one is in flight", async () => {
    const { breaker, timers, probes, fail } = bench();
    fail("certain");
    timers[0]?.fire();
    for (let i = 0; i < 10; i++) breaker.hurry();
    fail("certain", 10);
    expect([timers.length, probes.length]).toEqual([1, 1]);
    await probes[0]?.out();
    expect([timers.length, probes.length]).toEqual([2, 1]);
  });

  test("probes immediately when hurried, replacing the next scheduled probe", async () => {
    const { breaker, timers, probes, fail } = bench();
    fail("certain");
    breaker.hurry();
    expect([timers[0]?.state, probes.length]).toEqual(["cancelled", 1]);
    await probes[0]?.back();
    expect([breaker.isOpen, timers.length]).toEqual([false, 1]);
  });

  /** Opens the breaker with late answers among the given number of good ones, and returns how many probes in a row must succeed. */
  const probesNeeded = async ({ breaker, clock, timers, probes, fail }: ReturnType<typeof bench>, answers: number): Promise<number> => {
    fail("maybe", answers);
    for (let i = 0; i < answers; i++) breaker.good();
    fail("maybe", 5);
    clock.advance(500);
    fail("maybe");
    expect(breaker.isOpen).toBe(true);
    for (let asked = 1; ; asked++) {
      timers.at(-1)?.fire();
      await probes.at(-1)?.back();
      if (!breaker.isOpen) return asked;
    }
  };

  test("closes after one answered probe if nothing was answered, and after four in a row if some calls were", async () => {
    expect(await probesNeeded(bench(), 0)).toBe(1);
    expect(await probesNeeded(bench(), 3)).toBe(4);
  });

  test("needs more probes in a row, up to eight, each time some calls are late again within ten seconds", async () => {
    const relapsing = bench();
    const asked: number[] = [];
    for (const pauseMs of [0, 9000, 9000, 10_000, 9000]) {
      relapsing.clock.advance(pauseMs);
      asked.push(await probesNeeded(relapsing, 3));
    }
    expect(asked).toEqual([4, 8, 8, 4, 8]);
  });

  test("needs at most two probes after an outage without any answer, so that it ends within a second", async () => {
    const relapsing = bench();
    const asked: number[] = [];
    for (const [pauseMs, answers] of [
      [0, 0],
      [9000, 0],
      [9000, 0],
      [9000, 3],
      [9000, 3],
      [9000, 0],
      [10_000, 0],
    ] as const) {
      relapsing.clock.advance(pauseMs);
      asked.push(await probesNeeded(relapsing, answers));
    }
    expect(asked).toEqual([1, 2, 2, 4, 8, 2, 1]);
  });

  test("starts counting again when a probe is not answered", async () => {
    const { breaker, clock, timers, probes, fail } = bench();
    fail("maybe", 5);
    breaker.good();
    clock.advance(500);
    fail("maybe");
    for (const answers of [true, true, true, false, true, true, true, true]) {
      expect(breaker.isOpen).toBe(true);
      timers.at(-1)?.fire();
      await (answers ? probes.at(-1)?.back() : probes.at(-1)?.out());
    }
    expect(breaker.isOpen).toBe(false);
  });

  test("needs as many failures as before to open again", async () => {
    const { breaker, clock, probes, fail } = bench();
    fail("maybe", 4);
    clock.advance(500);
    fail("maybe");
    breaker.hurry();
    await probes[0]?.back();
    clock.advance(500);
    fail("maybe", 4);
    expect(breaker.isOpen).toBe(false);
  });
});

test("hurrying a closed breaker does nothing", () => {
  const { breaker, probes } = bench();
  breaker.hurry();
  expect(probes).toHaveLength(0);
});

test("a stopped breaker never probes again, whatever fails or is answered late", async () => {
  const { breaker, timers, probes, closings, fail } = bench();
  fail("certain");
  breaker.stop();
  expect([breaker.isOpen, timers[0]?.state]).toEqual([false, "cancelled"]);
  fail("certain", 10);
  breaker.hurry();
  expect([breaker.isOpen, timers.length, probes.length]).toEqual([false, 1, 0]);

  const during = bench();
  during.fail("certain");
  during.timers[0]?.fire();
  during.breaker.stop();
  await during.probes[0]?.out();
  expect([during.breaker.isOpen, during.timers.length]).toEqual([false, 1]);
  expect(closings() + during.closings()).toBe(0);
});
