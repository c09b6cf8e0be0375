import { expect, test } from "vitest";
import { durationMs, timeSpanMs } from "../../src/policy/duration.ts";

test.each<[unknown, number]>([
  [60, 60_000],
  [0.25, 250],
  [0.001, 1],
  [1.001, 1001],
  [0.0015 + 0.0005, 2],
  [2_592_000, 2_592_000_000],
  ["250ms", 250],
  ["1s", 1000],
  ["1.5s", 1500],
  ["1m", 60_000],
  ["0.5h", 1_800_000],
  ["1d", 86_400_000],
  ["30d", 2_592_000_000],
  ["007s", 7000],
  ["1.001s", 1001],
])("%j is %d ms", (duration, ms) => {
  expect(durationMs(duration)).toBe(ms);
});

test.each<unknown>([
  0,
  -1,
  -0,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  0.0001,
  1.0005,
  1e300,
  2 ** 53,
  "",
  " ",
  "60",
  "1 m",
  " 1m",
  "1m ",
  "1M",
  "1min",
  "1w",
  "-1s",
  "+1s",
  "1e3s",
  "0x10s",
  "0s",
  "0.5ms",
  ".5s",
  "1.s",
  "１s",
  "Infinitys",
  "NaNs",
  "1m1s",
  "1m\n",
  "9007199254741s",
  null,
  undefined,
  10n,
  true,
  [],
  ["1m"],
  {},
  new Date(),
  Symbol("1m"),
])("%s is not a duration", (value) => {
  expect(durationMs(value)).toBeUndefined();
});

test("a deadline must be a string with a unit, because a bare 100 would hang for 100 s", () => {
  expect([timeSpanMs("100ms"), timeSpanMs(100), timeSpanMs(0.1)]).toEqual([100, undefined, undefined]);
});
