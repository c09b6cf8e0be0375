import { definePolicy, type LimitOptions, type PolicyOptions } from "@ratelimit/core";
import { warningsOf } from "@ratelimit/testbed/warnings";
import { describe, expect, test } from "vitest";
import { isPolicy, samePolicy } from "../../src/policy/policy.ts";
import { caught } from "../support/caught.ts";

describe("a compiled limit", () => {
  test.each<[LimitOptions, object]>([
    [
      { rate: 100 },
      { name: "default", rate: 100, period: 60, burst: 100, periodMs: 60_000, unitsPerToken: 600, unitsPerMs: 1, capacityUnits: 60_000 },
    ],
    [
      { rate: 100, period: "1m", burst: 150 },
      { period: 60, burst: 150, unitsPerToken: 600, unitsPerMs: 1, capacityUnits: 90_000 },
    ],
    [
      { rate: 7, period: 1 },
      { periodMs: 1000, unitsPerToken: 1000, unitsPerMs: 7, capacityUnits: 7000 },
    ],
    [
      { rate: 5, period: "2s" },
      { period: 2, unitsPerToken: 400, unitsPerMs: 1, capacityUnits: 2000 },
    ],
    [
      { rate: 1_000_000, period: 1 },
      { unitsPerToken: 1, unitsPerMs: 1000, capacityUnits: 1_000_000 },
    ],
    [
      { rate: 5000, period: 1, burst: 5 },
      { unitsPerToken: 1, unitsPerMs: 5, capacityUnits: 5 },
    ],
    [
      { rate: 1, period: "30d" },
      { unitsPerToken: 2_592_000_000, unitsPerMs: 1, capacityUnits: 2_592_000_000 },
    ],
    [
      { rate: 26_000_003, period: "1d" },
      { unitsPerToken: 86_400_000, unitsPerMs: 26_000_003 },
    ],
    [
      { rate: 3, period: undefined, burst: undefined, name: undefined },
      { name: "default", period: 60, burst: 3 },
    ],
    [
      { rate: 1, period: 0.25, name: "A.b_c-9" },
      { name: "A.b_c-9", period: 0.25, periodMs: 250 },
    ],
  ])("%j", (options, limit) => {
    expect(definePolicy(options).limits).toEqual([expect.objectContaining(limit)]);
  });

  test("keeps its position among several limits", () => {
    const policy = definePolicy({
      limits: [
        { name: "second", rate: 10, period: 1 },
        { name: "hour", rate: 1000, period: "1h" },
      ],
    });
    expect(policy.limits.map(({ name, rate, period }) => [name, rate, period])).toEqual([
      ["second", 10, 1],
      ["hour", 1000, 3600],
    ]);
  });

  test("is frozen, and independent of later changes to the options", () => {
    const options = { limits: [{ name: "a", rate: 10 }] as [LimitOptions] };
    const policy = definePolicy(options);
    options.limits[0].rate = 1000;
    expect(policy.limits[0].rate).toBe(10);
    expect([policy, policy.limits, policy.limits[0]].every(Object.isFrozen)).toBe(true);
    expect(definePolicy(Object.freeze({ rate: 5 })).limits[0].rate).toBe(5);
  });
});

const nothing = Number.NaN;
/** Invalid values for a positive integer, and how a message shows them. */
const noIntegers: [unknown, string][] = [
  [0, "0"],
  [-0, "-0"],
  [-1, "-1"],
  [0.5, "0.5"],
  [nothing, "NaN"],
  [Number.POSITIVE_INFINITY, "Infinity"],
  ["100", '"100"'],
  ["", '""'],
  [null, "null"],
  [10n, "10n"],
  [true, "true"],
  [2 ** 53, "9007199254740992"],
  [[1], "an array"],
  [{}, "an object"],
  [() => 1, "a function"],
  [Symbol("1"), "a symbol"],
];

describe("values that are not positive integers", () => {
  // A rate of 0 is valid: it refuses everything.
  for (const option of ["rate", "burst"] as const)
    test.each(noIntegers.filter(([value]) => option === "burst" || !Object.is(value, 0)))(`${option}: %s`, (value, shown) => {
      const { code, message } = caught(() => definePolicy({ rate: 10, [option]: value }));
      expect(code).toBe("INVALID_POLICY");
      expect(message).toMatch(`Expected \`${option}\` to be a positive integer, got ${shown}: `);
    });
});

describe("an invalid policy", () => {
  test.each<[string, unknown, string]>([
    ["no options", undefined, "Expected `policy` to be an object of options, got undefined: known options are rate, period, burst, name"],
    ["null", null, "Expected `policy` to be an object of options, got null"],
    ["an array", [{ rate: 1 }], "Expected `policy` to be an object of options, got an array"],
    ["a string", "100/min", 'Expected `policy` to be an object of options, got "100/min"'],
    ["no rate", {}, "Expected `rate` to be a positive integer, got undefined: write rate: 100"],
    ["an undefined rate", { rate: undefined }, "Expected `rate` to be a positive integer, got undefined"],
    ["a period of 0", { rate: 1, period: 0 }, "Expected `period` to be seconds, or a string such as"],
    ["a period without a unit", { rate: 1, period: "60" }, 'got "60": write period: 60 or period: "1m"'],
    ["a period of half a millisecond", { rate: 1, period: 0.0005 }, "of whole milliseconds above 0, got 0.0005"],
    ["a name with a space", { rate: 1, name: "per minute" }, "Expected `name` to be a letter followed by"],
    ["a name with a quote", { rate: 1, name: 'a"b' }, 'got "a\\"b"'],
    ["a name that a header cannot carry", { rate: 1, name: "dünn" }, 'got "dünn"'],
    ["a name with a newline", { rate: 1, name: "a\n" }, 'got "a\\n"'],
    ["a name of 65 letters", { rate: 1, name: "a".repeat(65) }, "at most 63 letters"],
    ["an empty name", { rate: 1, name: "" }, "Expected `name`"],
    ["a misspelt option", { rate: 1, brust: 5 }, "Unknown option `brust`: did you mean `burst`?"],
    ["another misspelt option", { rates: 1 }, "Unknown option `rates`: did you mean `rate`?"],
    ["an option in the wrong case", { rate: 1, Period: 5 }, "Unknown option `Period`: did you mean `period`?"],
    ["an option from another library", { rate: 1, skipSuccessfulRequests: true }, "known options are rate, period, burst, name"],
    ["a __proto__ from JSON", JSON.parse('{"rate":1,"__proto__":{"burst":5}}'), "Unknown option `__proto__`"],
    ["a constructor", { rate: 1, constructor: 5 }, "Unknown option `constructor`"],
    ["a bad inherited option", Object.create({ rate: "100" }), 'Expected `rate` to be a positive integer, got "100"'],
    ["a bucket too large to count", { rate: 1, period: "1d", burst: 30_000_000 }, "to be small enough to be counted exactly, got 30000000"],
    ["a bucket below a millisecond of refill", { rate: 5000, period: 1, burst: 1 }, "for 5000 per 1000 ms write burst: 5 or more"],
    ["no limits", { limits: [] }, "Expected `limits` to be a non-empty array of limits, got "],
    [
      "101 limits",
      { limits: Array.from({ length: 101 }, (_, i) => ({ name: `l${i}`, rate: 5 })) },
      "Expected `limits` to be at most 100 limits, got 101: ",
    ],
    ["limits without end", { limits: new Array(2 ** 32 - 1) }, "Expected `limits` to be at most 100 limits, got 4294967295: "],
    ["limits that are none", { limits: "10/s" }, 'Expected `limits` to be a non-empty array of limits, got "10/s"'],
    ["limits that are null", { limits: null }, "Expected `limits` to be a non-empty array of limits, got null"],
    ["a limit that is null", { limits: [null] }, "Expected `limits[0]` to be an object of options, got null"],
    ["a hole among limits", { limits: new Array(1) }, "Expected `limits[0]` to be an object of options, got undefined"],
    [
      "a bad limit",
      {
        limits: [
          { name: "a", rate: 1 },
          { name: "b", rate: -1 },
        ],
      },
      "Expected `limits[1].rate` to be a positive integer, got -1",
    ],
    ["a misspelt option of a limit", { limits: [{ rate: 1, perod: 1 }] }, "Unknown option `limits[0].perod`: did you mean `period`?"],
    [
      "several unnamed limits",
      { limits: [{ name: "a", rate: 1 }, { rate: 2 }] },
      "Expected `limits[1].name` to be given when there are several limits",
    ],
    [
      "two limits with the same name",
      {
        limits: [
          { name: "a", rate: 1 },
          { name: "a", rate: 2 },
        ],
      },
      'Expected `limits[1].name` to be unique in its policy, got "a"',
    ],
    ["a rate beside limits", { limits: [{ rate: 1 }], rate: 2 }, "Expected `rate` to be absent beside `limits`, got 2: move it"],
  ])("%s", (_, options, message) => {
    const error = caught(() => definePolicy(options as PolicyOptions));
    expect(error.code).toBe("INVALID_POLICY");
    expect(error.message).toContain(message);
  });

  test("is reported with all its problems at once", () => {
    const { message } = caught(() => definePolicy({ rate: -1, period: "1 m", burst: -1, name: "a b", brust: 1 } as never));
    expect(message.split("\n  - ").map((line) => line.slice(0, 26))).toEqual([
      "5 problems:",
      "Unknown option `brust`: di",
      "Expected `rate` to be a po",
      "Expected `period` to be se",
      "Expected `burst` to be a p",
      "Expected `name` to be a le",
    ]);
  });
});

test("the largest countable limit is accepted, and one unit more is not", () => {
  const burst = Math.floor(Number.MAX_SAFE_INTEGER / 4 / 86_400_000);
  expect(definePolicy({ rate: 1, period: "1d", burst }).limits[0].capacityUnits).toBe(burst * 86_400_000);
  expect(caught(() => definePolicy({ rate: 1, period: "1d", burst: burst + 1 })).code).toBe("INVALID_POLICY");
});

describe("a bare period that looks like milliseconds causes one warning", () => {
  test.each([
    [60_000, 1],
    [60_000, 0],
    [10_000, 1],
    [9000, 0],
    [10_001, 0],
    ["60000s", 0],
    [86_400, 0],
  ] as const)("period: %j, %d warning", async (period, count) => {
    const warnings = await warningsOf(() => definePolicy({ rate: 1, period }));
    expect(warnings.map(({ code }) => code)).toEqual(Array.from({ length: count }, () => "RATELIMIT_PERIOD_LOOKS_LIKE_MS"));
  });
});

test("policies are equal if all their limits are", () => {
  const policy = definePolicy({ rate: 10, period: "1s" });
  expect(samePolicy(policy, definePolicy({ rate: 10, period: 1, burst: 10 }))).toBe(true);
  for (const other of [{ rate: 11, period: 1 }, { rate: 10 }, { rate: 10, period: 1, burst: 11 }, { rate: 10, period: 1, name: "a" }])
    expect(samePolicy(policy, definePolicy(other as LimitOptions)), JSON.stringify(other)).toBe(false);
});

test.each<unknown>([
  undefined,
  null,
  {},
  { limits: [] },
  { limits: [null] },
  { limits: [{ rate: 10 }] },
  { limits: [{ name: "a", rate: 1, periodMs: 1, burst: 1, unitsPerToken: 1, unitsPerMs: Number.NaN, capacityUnits: 1 }] },
])("%j is not a compiled policy", (value) => {
  expect([isPolicy(value), isPolicy(definePolicy({ rate: 1 }))]).toEqual([false, true]);
});
