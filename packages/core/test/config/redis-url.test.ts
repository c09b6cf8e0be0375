import { configFromEnv, defineConfig } from "@ratelimit/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { caught } from "../support/caught.ts";
import { always } from "../support/property.ts";

test.each([
  "redis://localhost",
  "redis://localhost:6379",
  "redis://localhost:6379/",
  "redis://localhost:6379/15",
  "rediss://redis.example:6380",
  "redis://:pass@localhost",
  "redis://user:pass@localhost",
  "redis://user:p%40ss%3A%2F@localhost:6379/0",
  "redis://127.0.0.1:6379",
  "redis://[::1]:6379/1",
  "redis://localhost?family=6",
])("%s is accepted", (redisUrl) => {
  expect(defineConfig({ redisUrl }).redisUrl).toBe(redisUrl);
});

const secret = "hunter2";
const withPassword = [
  "redis://user:hunter2@",
  "redis://user:hunter2@:6379",
  "redis://user:hunter2@host:port",
  "redis://user:hunter2@host:99999",
  "redis://user:hunter2@host/abc",
  "redis://user:hunter2@host/0#x",
  "redis://user:hunter2@host/0?password=x",
  "redis://host?password=hunter2",
  "redis://host/?a=b&password=hunter2",
  "redis://user:hunter2@x@host:6379/abc",
  "redis://user:x@hunter2@host:6379/abc",
  "redis://user:hunter2/x@host/abc",
  "redis://user:hunter2?x@host/abc",
  "redis://user:hunter2#x@host/abc",
  "redis://user:hunter2 @host",
  "redis://user:hunter2\n@host",
  "redis://user:%zz hunter2@host",
  "redis://user:hunter2%zz@host",
  "http://user:hunter2@host:6379",
  "user:hunter2@host:6379",
  ":hunter2@host:6379",
  "hunter2@host",
  "redis:user:hunter2@host",
  "redis:/user:hunter2@host",
  "redis:///user:hunter2@host",
  "REDIS://user:hunter2@host/abc",
  "redis+tls://user:hunter2@host",
  "redis://user:hunter2",
  "redis://:hunter2",
];

test.each(withPassword)("%j is rejected without showing the password", (url) => {
  for (const refuse of [() => defineConfig({ redisUrl: url }), () => configFromEnv({ RATELIMIT_REDIS_URL: url })]) {
    const { message, stack } = caught(refuse);
    expect(message).toMatch(/^Expected `(redisUrl|RATELIMIT_REDIS_URL)` to be redis:/);
    expect(message).not.toContain(secret);
    expect(stack).not.toContain(secret);
  }
});

test("anything before the last @ is never shown", () =>
  always(
    fc.tuple(
      fc.constantFrom("redis://", "rediss://", "http://", ""),
      fc.string(),
      fc.constantFrom("host", "host:6379", "host/x", "[::1]", ""),
    ),
    ([scheme, junk, host]) => {
      const url = `${scheme}${junk}:hunter2${junk}@${host}`;
      try {
        expect(defineConfig({ redisUrl: url }).redisUrl).toBe(url);
      } catch (error) {
        expect((error as Error).message).not.toContain(secret);
      }
    },
  ));

test("the password of a valid URL is in the config, and in no warning or error about other options", () => {
  const { message } = caught(() => defineConfig({ redisUrl: `redis://user:${secret}@host`, rate: -1 }));
  expect(message).not.toContain(secret);
});
