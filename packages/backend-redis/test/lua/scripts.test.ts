import { randomUUID } from "node:crypto";
import { RedisBackend } from "@ratelimit/backend-redis";
import { RateLimiter } from "@ratelimit/core";
import { startStandalone } from "@ratelimit/testbed";
import fc from "fast-check";
import { Redis } from "ioredis";
import { describe, expect, inject, test } from "vitest";
import { bucketScript } from "../../src/scripts.ts";
import { strict } from "../support/strict.ts";

const { lua, sha1 } = bucketScript;

describe("the script", () => {
  const code = lua
    .replace(/--\[\[.*?\]\]/gs, "")
    .replace(/--.*/g, "")
    .replace(/'[^']*'/g, "''");

  test("starts with a comment on what it does, its keys, its arguments and its return value", () => {
    expect(lua).toMatch(/^--\[\[\n {2}\S.*?\n\n {2}KEYS\[i\].*?\n {2}ARGV\[1\].*?\n\n {2}Returns .*?\]\]\nlocal /s);
  });

  test("never lets Lua format a number itself", () => {
    expect(code).not.toMatch(/%|\.\.|tostring/);
    for (const [, formats = ""] of lua.matchAll(/string\.format\((.*?),/g))
      expect(formats).toMatch(/^'(2|b|h|0|\||:|%s|%\.0f)*'$|^(ahead|longest) < 2147483648 and '%d' or '%\.0f'$/);
    for (const [call] of lua.matchAll(/redis\.p?call\(.*\)/g))
      expect(call).toMatch(
        /^redis\.p?call\('(GET|PTTL|DEL)', key\)|^redis\.call\('PEXPIRE', key, ms\)|^redis\.call\('SET', key, value, 'PX', ms\)/,
      );
  });

  test("is known to Redis by the SHA-1 that the backend computes", async () => {
    const redis = new Redis(inject("redis").url);
    expect(await redis.script("LOAD", lua)).toBe(sha1);
    redis.disconnect();
  });
});

test("an expiry is written in full, on both sides of 2^31", async () => {
  const redis = new Redis(inject("redis").url);
  const edges = Array.from({ length: 15 }, (_, i) => 10 ** i).flatMap((power) => [power - 1, power, 7 * power]);
  const written = "local ahead = ARGV[1] + 0 return string.format(ahead < 2147483648 and '%d' or '%.0f', ahead)";
  expect(lua).toContain(written.slice(written.indexOf("string")));
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.constantFrom(2 ** 31 - 1, 2 ** 31, 2 ** 53 - 1, ...edges), fc.maxSafeNat()), async (number) => {
      expect(await redis.eval(written, 0, String(number))).toBe(String(number));
    }),
    { numRuns: 1000 },
  );
  redis.disconnect();
});

test("a bucket that expires between the read and the write is stored again", async () => {
  const redis = new Redis(inject("redis").url);
  const expiring = lua.replaceAll(
    "redis.call('PTTL', key)",
    "(function() local ms = redis.call('PTTL', key) redis.call('DEL', key) return ms end)()",
  );
  const forms = [
    ["10000", "100000", "77"],
    ["10000", "1", "100000", "77", "1", "1"],
  ];
  for (const args of forms) {
    const key = `gone:${randomUUID()}`;
    await redis.set(key, "77", "PX", 30_000);
    expect(await redis.eval(expiring, 1, key, ...args)).toBeGreaterThan(39_000);
    expect(await redis.get(key)).toBe("77");
    expect(await redis.pttl(key)).toBeGreaterThan(39_000);
  }
  redis.disconnect();
});

test("a script is sent only once while Redis remembers it", async () => {
  await using own = await startStandalone();
  await using backend = new RedisBackend({ url: own.url, ...strict });
  const limiter = new RateLimiter({ rate: 100, period: 60, backend, name: randomUUID() });
  const redis = new Redis(own.url);
  for (let i = 0; i < 5; i++) await limiter.check("key");
  await redis.script("FLUSH");
  for (let i = 0; i < 5; i++) await limiter.check("key");
  const stats = await redis.info("commandstats");
  redis.disconnect();
  const callsOf = (command: string): number => Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1]);
  expect([callsOf("evalsha"), callsOf("eval")]).toEqual([10, 2]);
  // One from the backend and one from the client's ready check, and none per call.
  expect(callsOf("info")).toBeLessThanOrEqual(4);
});
