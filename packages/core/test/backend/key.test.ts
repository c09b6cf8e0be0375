import { createHash } from "node:crypto";
import { RateLimiter } from "@ratelimit/core";
import { escapeKey } from "@ratelimit/core/backend";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { backendKey, escapeName } from "../../src/backend/key.ts";
import { LateBackend } from "../support/backends.ts";
import { rejected } from "../support/caught.ts";
import { always } from "../support/property.ts";

function digest(text: string): string {
  return `%sha256:${createHash("sha256").update(Buffer.from(text, "utf16le")).digest("hex")}`;
}

describe("the key passed to a backend", () => {
  test.each(["a", " ", "\0", "\r\nFLUSHALL", "{a}", "__proto__", "%", "%sha", "\uD800", "🙂", "k".repeat(1024)])("is %j itself", (key) => {
    expect(backendKey(key)).toBe(key);
  });

  test.each(["k".repeat(1025), `\uD800${"k".repeat(1024)}`, "m".repeat(10_000_000), "%sha256:", digest("a")])(
    "is a digest if it is long or looks like a digest",
    (key) => {
      expect(backendKey(key)).toBe(digest(key));
    },
  );
});

test.each([
  ["user:123", "user:123"],
  ["100%", "100%25"],
  ["{a}b", "%7Ba}b"],
  ["a}{b", "a}%7Bb"],
  ["a\uD800", "a%uD800"],
  ["\uDC00\uD800", "%uDC00%uD800"],
  ["\uFFFD🙂é", "\uFFFD🙂é"],
  ["\r\n\0 ", "\r\n\0 "],
  [digest("a"), digest("a")],
])("%j is stored as %j", (key, text) => {
  expect(escapeKey(key)).toBe(text);
});

test.each([
  ["api", "api"],
  ["GET /items/:id", "GET%20/items/%3Aid"],
  ["{api}", "%7Bapi%7D"],
  ["100%\t\u00a0\u2028", "100%25%09%A0%u2028"],
  ["\uD800", "%uD800"],
])("the limiter name %j is stored as %j", (name, text) => {
  expect(escapeName(name)).toBe(text);
});

test("no two keys or names are stored alike, and none is ill-formed", () => {
  const unit = fc.oneof(fc.nat(0xffff), fc.constantFrom(...[..."%uD80:{} 7B25\r"].map((c) => c.charCodeAt(0)), 0xd800, 0xdc00));
  const text = fc.array(unit, { minLength: 1, maxLength: 8 }).map((units) => String.fromCharCode(...units));
  always(fc.tuple(text, text), ([a, b]) => {
    for (const stored of [escapeKey, escapeName]) {
      expect(stored(a) === stored(b)).toBe(a === b);
      expect(stored(a).isWellFormed()).toBe(true);
    }
    expect(escapeKey(a)).not.toContain("{");
    expect(escapeName(a)).not.toMatch(/[:{}\s]/);
  });
});

describe("before any backend is asked", () => {
  const calls: Record<string, (limiter: RateLimiter, key: never, cost: never) => Promise<unknown>> = {
    check: (limiter, key, cost) => limiter.check(key, { cost }),
    enforce: (limiter, key, cost) => limiter.enforce(key, { cost }),
    peek: (limiter, key, cost) => limiter.peek(key, { cost }),
    wait: (limiter, key, cost) => limiter.wait(key, { cost }),
    refund: (limiter, key, cost) => limiter.refund(key, cost),
    charge: (limiter, key, cost) => limiter.charge(key, cost),
    reset: (limiter, key) => limiter.reset(key),
  };
  const keys = ["", 0, 123, null, undefined, true, 10n, {}, [], ["a"], Symbol("a"), () => "a", new String("a"), Number.NaN];
  const costs = [-1, Number.NaN, 0.1, "2", 2 ** 53, Number.POSITIVE_INFINITY, null, 1n, true, [], {}, -0.5, Symbol("1")];

  for (const [name, call] of Object.entries(calls)) {
    test.each(keys)(`${name} refuses the key %o`, async (key) => {
      const backend = new LateBackend();
      const error = await rejected(call(new RateLimiter({ rate: 5, backend }), key as never, 1 as never));
      expect(error.code).toBe("INVALID_KEY");
      expect(error.message).toMatch(
        /^Expected `key` to be a non-empty string, got .*: pass what identifies the client, such as "user:123"$/s,
      );
      expect(backend.asked).toEqual([]);
    });
    if (name !== "reset")
      test.each(costs)(`${name} refuses the cost %o`, async (cost) => {
        const backend = new LateBackend();
        const error = await rejected(call(new RateLimiter({ rate: 5, backend }), "key" as never, cost as never));
        expect(error.code).toBe("INVALID_COST");
        expect(error.message).toMatch(/^Expected `(cost|tokens)` to be a non-negative safe integer, got /);
        expect(backend.asked).toEqual([]);
      });
  }

  test.each([5, "2", null, true])("options of %j are rejected", async (options) => {
    const backend = new LateBackend();
    const error = await rejected(new RateLimiter({ rate: 5, backend }).check("key", options as never));
    expect([error.code, backend.asked]).toEqual(["INVALID_OPTION", []]);
  });

  test.each<[string, object, string]>([
    ["check", { costs: 5 }, "Unknown option `costs`: did you mean `cost`?"],
    ["enforce", { cost: 1, tokens: 5 }, "Unknown option `tokens`: known options are cost"],
    ["peek", { key: "a", max: 5 }, "Unknown options `key`, `max`: known options are cost"],
    ["wait", { maxwait: "1s" }, "Unknown option `maxwait`: did you mean `maxWait`?"],
    ["wait", { timeout: "1s" }, "Unknown option `timeout`: known options are cost, maxWait, signal"],
    ["check", [], "Expected `options` to be an object of options, got []: known options are cost"],
    ["check", JSON.parse('{"cost":1,"__proto__":{"cost":2}}') as object, "Unknown option `__proto__`"],
  ])("%s with %j is rejected: %s", async (name, options, message) => {
    const backend = new LateBackend();
    const limiter = new RateLimiter({ rate: 5, backend }) as unknown as Record<string, (key: string, options: object) => Promise<unknown>>;
    expect(await rejected(limiter[name]?.("key", options) as Promise<unknown>)).toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringContaining(message) as string,
    });
    expect(backend.asked).toEqual([]);
  });

  test("a cost of -0 only peeks, and the default cost is 1", async () => {
    const backend = new LateBackend();
    const limiter = new RateLimiter({ rate: 5, backend });
    for (const options of [{ cost: -0 }, {}, { cost: undefined }, undefined]) await limiter.check("key", options);
    expect(backend.asked).toEqual(["take 0", "take 1", "take 1", "take 1"]);
  });
});
