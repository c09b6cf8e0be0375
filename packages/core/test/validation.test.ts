import { RateLimiter } from "@ratelimit/core";
import { checkOptions, Problems, type Rules, rule } from "@ratelimit/core/backend";
import { describe, expect, test } from "vitest";
import { configRules } from "../src/config/config.ts";
import { limiterRules } from "../src/config/limiter-options.ts";
import { guardRules } from "../src/http/guard/options.ts";
import { expected, nearest } from "../src/messages.ts";
import { tableBackend } from "./support/backends.ts";
import { caught } from "./support/caught.ts";

const rules: Rules = {
  maxKeys: { ...rule.positiveInteger, hint: "leave it out for 100" },
  strict: rule.boolean,
  url: { expects: "a URL", accepts: (value) => typeof value === "string" && URL.canParse(value), mask: () => "***" },
};

test("valid and absent options pass", () => {
  for (const options of [{}, { maxKeys: 5 }, { maxKeys: undefined, strict: false }, Object.freeze({ strict: true }), Object.create(null)])
    expect(() => checkOptions("options", options, rules)).not.toThrow();
});

describe("invalid options are reported with a hint", () => {
  test.each<[unknown, string]>([
    [{ maxKeys: 0 }, "Expected `maxKeys` to be a positive integer, got 0: leave it out for 100"],
    [{ strict: 1 }, "Expected `strict` to be true or false, got 1"],
    [{ url: "secret" }, 'Expected `url` to be a URL, got "***"'],
    [{ maxkeys: 5 }, "Unknown option `maxkeys`: did you mean `maxKeys`?"],
    [{ expiry: 5 }, "Unknown option `expiry`: known options are maxKeys, strict, url"],
    [null, "Expected `options` to be an object of options, got null: known options are maxKeys, strict, url"],
    [["maxKeys"], "Expected `options` to be an object of options, got [maxKeys]: known options are maxKeys, strict, url"],
    [5, "Expected `options` to be an object of options, got 5: known options are maxKeys, strict, url"],
  ])("%j", (options, message) => {
    const error = caught(() => checkOptions("options", options, rules));
    expect([error.code, error.message]).toEqual(["INVALID_OPTION", message]);
  });

  test("valid names are listed once, however many unknown options resemble none of them", () => {
    expect(caught(() => checkOptions("options", { windowMs: 1, maxkeys: 2, handler: 3 }, rules)).message).toBe(
      [
        "2 problems:",
        "Unknown option `maxkeys`: did you mean `maxKeys`?",
        "Unknown options `windowMs`, `handler`: known options are maxKeys, strict, url",
      ].join("\n  - "),
    );
  });

  test("all problems are reported at once", () => {
    expect(caught(() => checkOptions("options", { maxKeys: 0, strict: null }, rules)).message).toBe(
      [
        "2 problems:",
        "Expected `maxKeys` to be a positive integer, got 0: leave it out for 100",
        "Expected `strict` to be true or false, got null",
      ].join("\n  - "),
    );
  });

  test("a list may rename its options and set the code of its error", () => {
    const problems = Problems.none();
    problems
      .named((option) => `limits[0].${option}`)
      .coded("INVALID_POLICY")
      .add("rate", "whole", 0.5);
    expect(problems.count).toBe(1);
    const { code, message } = caught(() => problems.throwIfAny("INVALID_OPTION"));
    expect([code, message]).toEqual(["INVALID_POLICY", "Expected `limits[0].rate` to be whole, got 0.5"]);
  });
});

test.each<[string, string | undefined]>([
  ["brust", "burst"],
  ["bust", "burst"],
  ["BURST", "burst"],
  ["bursts", "burst"],
  ["perid", "period"],
  ["peroid", "period"],
  ["prefix", undefined],
  ["", undefined],
  ["x".repeat(1000), undefined],
])("the closest name to %j is %j", (name, meant) => {
  expect(nearest(name, ["rate", "period", "burst", "keyPrefix"])).toBe(meant);
});

test.each<[unknown, string]>([
  ["100", '"100"'],
  ["a\nb\0\uD800", '"a\\nb\\u0000\\ud800"'],
  ["x".repeat(100), `"${"x".repeat(60)}…"`],
  [10n, "10n"],
  [-0, "-0"],
  [undefined, "undefined"],
  [Object.create(null), "an object"],
  [
    {
      toString() {
        throw new Error("never asked");
      },
    },
    "an object",
  ],
  [class {}, "a function"],
])("a message shows %o as %s", (value, shown) => {
  expect(expected("option", "something", value)).toBe(`Expected \`option\` to be something, got ${shown}`);
});

test("every option's rule says how to fix an invalid value", () => {
  const rules = Object.entries({ ...limiterRules, ...configRules, ...guardRules.plain, ...guardRules.user, ...guardRules.apiKey });
  const silent = rules.filter(([, { accepts, hint }]) => hint === undefined && !accepts(Symbol("anything")));
  // A resilient backend has its own rules.
  expect(silent.map(([option]) => option)).toEqual(["outage"]);
});

test.each<[unknown, string]>([
  ["", "an empty string"],
  [["secret"], "an array"],
  [{ secret: true }, "an object"],
  [12345, "a number"],
  [Number.NaN, "NaN"],
  [12345n, "a bigint"],
  [true, "a boolean"],
  [undefined, "undefined"],
  [null, "null"],
  [Symbol("secret"), "a symbol"],
])("a message shows the key %o as %s", (key, shown) => {
  const limiter = new RateLimiter({ rate: 1, backend: tableBackend() });
  expect(caught(() => limiter.checkSync(key as string)).message).toMatch(
    new RegExp(`^Expected \`key\` to be a non-empty string, got ${shown}: `),
  );
});
