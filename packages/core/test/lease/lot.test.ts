import { definePolicy } from "@ratelimit/core";
import { expect, test } from "vitest";
import { Lot } from "../../src/lease/lot.ts";

/** 10 tokens per second, one every 100 ms; a token is 100 units, and one unit drains per millisecond. */
const { limits } = definePolicy({ rate: 10, period: 1 });

function lot(grant: { tokens: number; used: number; held?: number }, endsAt: number = 1000): Lot {
  const { tokens, used, held = 0 } = grant;
  return new Lot(limits, { tokens, generation: 1, used: [used], held: [held], blockedMs: 0 }, 0, endsAt);
}

test("spends its tokens at once if the bucket had room for them", () => {
  const one = lot({ tokens: 3, used: 200 });
  expect([one.spend(1, 0), one.spend(2, 0), one.spend(1, 0)]).toEqual([true, true, false]);
  expect([one.tokens, one.used(0)]).toEqual([0, 500]);
});

test("spends a token that the bucket had no room for at the millisecond at which it has, and not before", () => {
  const one = lot({ tokens: 2, used: 950 });
  expect([one.spend(1, 49), one.spend(1, 49.999), one.spend(1, 50)]).toEqual([false, false, true]);
  expect([one.spend(1, 149), one.spend(1, 150)]).toEqual([false, true]);
});

test("never counts less in use than others held when it was granted, because they may spend it at any time", () => {
  const one = lot({ tokens: 5, used: 900, held: 800 }, 10_000);
  expect(one.used(5000)).toBe(800);
  expect([one.spend(2, 5000), one.spend(1, 5000)]).toEqual([true, false]);
  expect([one.spend(1, 5099), one.spend(1, 5100)]).toEqual([false, true]);
});

test("takes several tokens together or none", () => {
  const one = lot({ tokens: 3, used: 800 });
  expect([one.spend(3, 0), one.tokens]).toEqual([false, 3]);
  expect([one.spend(4, 500), one.spend(3, 100), one.tokens]).toEqual([false, true, 0]);
});

test("spends nothing once its time is over", () => {
  const one = lot({ tokens: 3, used: 0 }, 200);
  expect([one.spend(1, 199), one.spend(1, 200), one.tokens]).toEqual([true, false, 2]);
});

test("a call must fit every limit", () => {
  const { limits } = definePolicy({
    limits: [
      { name: "second", rate: 10, period: 1 },
      { name: "minute", rate: 600, period: 60, burst: 20 },
    ],
  });
  const grant = { tokens: 10, generation: 1, used: [0, 1900], held: [0, 0], blockedMs: 0 };
  const one = new Lot(limits, grant, 0, 1000);
  expect([one.spend(1, 0), one.spend(1, 0), one.used(0)]).toEqual([true, false, [100, 2000]]);
  expect([one.spend(1, 100), one.used(100)]).toEqual([true, [100, 2000]]);
});

test("hands back what was spent so that it drains, and the rest only at the end", () => {
  const one = lot({ tokens: 5, used: 0 });
  one.spend(2, 0);
  expect(one.handBackSpent()).toEqual({ held: 2, unspent: 0 });
  one.spend(1, 0);
  expect(one.handBackAll()).toEqual({ held: 3, unspent: 2 });
  expect([one.tokens, one.isHeld, one.spend(1, 0)]).toEqual([0, false, false]);
});
