import { type ResilientOptions, resilient } from "@ratelimit/core";
import { describe, expect, test } from "vitest";
import { LateBackend } from "../support/backends.ts";
import { caught } from "../support/caught.ts";

function problemOf(options: unknown): string {
  const { code, message } = caught(() => resilient(new LateBackend(), options as ResilientOptions));
  expect(code).toBe("INVALID_OPTION");
  return message;
}

describe.each([
  ["timeout", "a length of time with its unit"],
  ["instances", "a positive integer"],
  ["maxKeys", "a positive integer"],
  ["outage", '"local", "open", "closed" or "throw"'],
  ["onOutage", "a function"],
])("%s", (option, expects) => {
  test.each([[0], [-1], [Number.NaN], [Number.POSITIVE_INFINITY], ["100"], [null], [10n], [true], [2 ** 53], [0.5], [[]], [{}]])(
    "of %s is rejected",
    (value) => {
      expect(problemOf({ [option]: value })).toMatch(new RegExp(`^Expected \`${option}\` to be ${expects}, got `));
    },
  );
});

test.each([
  [{ timeout: "0ms" }, /^Expected `timeout`/],
  [{ timeout: "-1s" }, /^Expected `timeout`/],
  [{ timeout: "soon" }, /^Expected `timeout`/],
  [{ timeout: "100 ms" }, /^Expected `timeout`/],
  [{ timeout: "\uff11s" }, /^Expected `timeout`/],
  [{ outage: "ignore" }, /^Expected `outage` .*, got "ignore"/],
  [{ outage: "constructor" }, /^Expected `outage`/],
  [{ timeot: "1s" }, /^Unknown option `timeot`: did you mean `timeout`\?/],
  [{ outages: "open" }, /^Unknown option `outages`: did you mean `outage`\?/],
  [JSON.parse('{"__proto__":{"timeout":"1s"}}'), /^Unknown option `__proto__`/],
  [Object.create({ instances: "4" }), /^Expected `instances` .*, got "4"/],
  [null, /^Expected `options` to be an object of options, got null/],
  [[], /^Expected `options` to be an object of options/],
  ["1s", /^Expected `options` to be an object of options, got "1s"/],
])("%j is rejected", (options, problem) => {
  expect(problemOf(options)).toMatch(problem);
});

test("all problems are reported in one error", () => {
  expect(problemOf({ timeout: 1, outage: 1, instances: 0, onOutage: 1, maxKeys: 0, x: 1 })).toMatch(/^6 problems:(\n {2}- .*){6}$/);
});

test("options may be frozen or undefined", () => {
  expect(() => resilient(new LateBackend(), Object.freeze({ timeout: "1s", outage: undefined }))).not.toThrow();
});

test("an invalid backend is rejected, naming the methods that it lacks", () => {
  for (const backend of [{ take() {} }, null, undefined, 5, []])
    expect(() => resilient(backend as never)).toThrow(/Expected `backend` to be a backend with .*adjust, block, reset.* close/);
});
