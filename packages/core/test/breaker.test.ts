import { describe, expect, test } from "vitest";
import { Breaker, type Failure } from "../src/breaker.ts";
import { ManualClock } from "../src/clock.ts";

/** A breaker whose time only the test moves, and whose probes the test answers. */
function bench(): {
  breaker: Breaker;
  clock: ManualClock;
  /** Waits that were asked for, and whether they were taken back or have ended. */
  timers: { ms: number; state: "waiting" | "cancelled" | "fired"; fire: () => void }[];
  probes: { back: () => Promise<void>; out: () => Promise<void> }[];
  closings: () => number;
  fail: (failure: Failure, times?: number) => void;
} {
  const clock = new ManualClock();
  const timers: ReturnType<typeof bench>["timers"] = [];
  const probes: ReturnType<typeof bench>["probes"] = [];
  let closings = 0;
  const breaker = new Breaker({
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
  });
  const fail = (failure: Failure, times: number = 1): void => {
    for (let i = 0; i < times; i++) breaker.failed(failure, clock.now());
  };
  return { breaker, clock, timers, probes, closings: () => closings, fail };
}

describe("a breaker opens", () => {
  test("at the first failure that is certain", () => {
    const { breaker, fail } = bench();
    fail("certain");
    expect(breaker.isOpen).toBe(true);
  });

  test.each([
    ["5 failures over 500 ms", 5, 500, true],
    ["5 failures over 499 ms", 5, 499, false],
    ["4 failures over 10 s", 4, 10_000, false],
    ["1,000 failures at one moment", 1000, 0, false],
  ])("by what may be chance: %s", (_, failures, ms, opens) => {
    const { breaker, clock, fail } = bench();
    fail("maybe", failures - 1);
    clock.advance(ms);
    fail("maybe");
    expect(breaker.isOpen).toBe(opens);
  });

  test("not while good answers come between", () => {
    const { breaker, clock, fail } = bench();
    for (let i = 0; i < 100; i++) {
      fail("maybe", 4);
      clock.advance(400);
      breaker.good();
    }
    expect(breaker.isOpen).toBe(false);
  });

  test("counting from when the first unanswered call was sent, not from when it was given up", () => {
    const { breaker, clock } = bench();
    const sentAt = clock.now();
    clock.advance(500);
    for (let i = 0; i < 5; i++) breaker.failed("maybe", sentAt);
    expect(breaker.isOpen).toBe(true);
  });
});

describe("an open breaker", () => {
  test("probes every 250 to 500 ms, one at a time, until one is answered", async () => {
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

  test("starts no probe beside one that is under way", async () => {
    const { breaker, timers, probes, fail } = bench();
    fail("certain");
    timers[0]?.fire();
    for (let i = 0; i < 10; i++) breaker.hurry();
    fail("certain", 10);
    expect([timers.length, probes.length]).toEqual([1, 1]);
    await probes[0]?.out();
    expect([timers.length, probes.length]).toEqual([2, 1]);
  });

  test("probes at once when told to hurry, in place of the probe that was due", async () => {
    const { breaker, timers, probes, fail } = bench();
    fail("certain");
    breaker.hurry();
    expect([timers[0]?.state, probes.length]).toEqual(["cancelled", 1]);
    await probes[0]?.back();
    expect([breaker.isOpen, timers.length]).toEqual([false, 1]);
  });

  test("needs as much as before to open again", async () => {
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

test("a closed breaker does not hurry", () => {
  const { breaker, probes } = bench();
  breaker.hurry();
  expect(probes).toHaveLength(0);
});

test("a stopped breaker never probes again, whatever fails and whatever is answered late", async () => {
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
