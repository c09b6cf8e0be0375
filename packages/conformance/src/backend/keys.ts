import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { RateLimiter } from "@ratelimit/core";
import fc from "fast-check";
import { slow } from "./arbitraries.ts";
import { always } from "./property.ts";
import { type BackendRequirement, requirement, unusedName } from "./requirement.ts";

const long = "k".repeat(1025);

/** Keys that must all have separate buckets. */
const strange: readonly string[] = [
  " ",
  "a",
  "A",
  "a ",
  "\0",
  "a\0",
  "a\0b",
  "\r\nFLUSHALL\r\n",
  "{a}",
  "{a}b",
  "a}{b",
  "{",
  "{}",
  "%",
  "%7B",
  "%257B",
  "%s%n",
  "*",
  "a:b",
  "a:b:c",
  ":",
  "|",
  "0",
  "-1",
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "\uD800",
  "\uD800x",
  "\uDC00",
  "\uDFFF\uD800",
  "%uD800",
  "\uFFFD",
  "🙂",
  "\u00e9",
  "e\u0301",
  "ﬀ",
  "ff",
  "ß",
  "SS",
  "k".repeat(1024),
  `${"k".repeat(1023)}l`,
  long,
  `${long}k`,
  `${"k".repeat(1024)}l`,
  `\uD800${long}`,
  `\uDC00${long}`,
  `%sha256:${digest(long, "utf16le")}`,
  `%sha256:${digest(long, "utf8")}`,
  "%sha256:",
  "m".repeat(10_000_000),
  `${"m".repeat(9_999_999)}n`,
];

/** Arbitrary UTF-16 code units, well-formed or not, weighted towards characters with a special meaning somewhere. */
const special = [..."%:{}| \0\r\na"].map((character) => character.charCodeAt(0));
const unit = fc.oneof(fc.nat(0xffff), fc.constantFrom(...special), fc.constantFrom(0xd800, 0xdbff, 0xdc00, 0xdfff, 0xfffd));
const text = fc.array(unit, { minLength: 1, maxLength: 6 }).map((units) => String.fromCharCode(...units));
const texts = fc.uniqueArray(text, { minLength: 2, maxLength: 12 });

export const strangeKeys: BackendRequirement = requirement("every key has its own bucket, however strange", "any", async (fixture) => {
  const limiter = fixture.limiter(slow(3));
  for (const key of strange) assert.equal((await limiter.check(key)).remaining, 2, `${show(key)} shares a bucket with an earlier key`);
  for (const key of strange) assert.equal((await limiter.check(key, { cost: 2 })).allowed, true, `${show(key)} was not kept`);
  for (const key of strange) assert.equal((await limiter.check(key)).allowed, false, `${show(key)} was not kept`);
  await limiter.reset("\uD800");
  assert.deepEqual(await remainingOf(limiter, ["\uD800", "\uDC00", "\uFFFD"]), [3, 0, 0]);
});

export const anyKeys: BackendRequirement = requirement("arbitrary strings have their own buckets too", "any", (fixture) =>
  always(fixture, texts, async (keys) => {
    const limiter = fixture.limiter(slow(keys.length + 1));
    for (const [i, key] of keys.entries()) await limiter.check(key, { cost: i + 1 });
    assert.deepEqual(
      await remainingOf(limiter, keys),
      keys.map((_, i) => keys.length - i),
    );
  }),
);

export const anyNames: BackendRequirement = requirement(
  "limiters with different names share no bucket, whatever their names and keys",
  "any",
  (fixture) =>
    always(fixture, fc.tuple(texts, text), async ([names, key]) => {
      const limiters = names.map((name) => fixture.limiter(slow(names.length + 1), name));
      for (const limiter of limiters) await limiter.reset(key);
      for (const [i, limiter] of limiters.entries()) await limiter.check(key, { cost: i + 1 });
      for (const [i, limiter] of limiters.entries()) {
        assert.equal((await limiter.peek(key)).remaining, names.length - i);
        await limiter.close();
      }
    }),
);

export const joinedNames: BackendRequirement = requirement(
  "no key reaches a bucket of a limiter with another name",
  "any",
  async (fixture) => {
    const name = unusedName();
    const pairs = [
      [`${name}`, "a:b:c"],
      [`${name}:a`, "b:c"],
      [`${name}:a:b`, "c"],
      [`${name}%3Aa`, "b:c"],
      [`{${name}}`, "c"],
      [`${name}:`, "c"],
      [`${name}`, ":c"],
      [`${name} `, "c"],
    ] as const;
    for (const [name, key] of pairs) {
      const limiter = fixture.limiter(slow(3), name);
      assert.equal((await limiter.check(key)).remaining, 2, `${name} and ${key}`);
      await limiter.close();
    }
  },
);

async function remainingOf(limiter: RateLimiter, keys: readonly string[]): Promise<number[]> {
  const remaining: number[] = [];
  for (const key of keys) remaining.push((await limiter.peek(key)).remaining);
  return remaining;
}

function digest(text: string, encoding: "utf8" | "utf16le"): string {
  return createHash("sha256").update(Buffer.from(text, encoding)).digest("hex");
}

function show(key: string): string {
  return key.length > 40 ? `a key of ${key.length} code units that begins with ${JSON.stringify(key.slice(0, 10))}` : JSON.stringify(key);
}
