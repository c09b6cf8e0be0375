import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { RedisBackend } from "@ratelimit/backend-redis";
import { definePolicy, RateLimiter } from "@ratelimit/core";
import type {} from "@ratelimit/testbed";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { Connection } from "../../src/connection.ts";
import { SharedClient } from "../../src/shared-client.ts";
import { RedisStore } from "../../src/store.ts";
import { strict } from "../support/strict.ts";

/** The examples use the same key names as the docs, so they need their own database. */
const url = `${inject("redis").url}/9`;
const redis = new Redis(url);
const backend = new RedisBackend({ url, ...strict });
beforeAll(() => redis.flushdb());
afterAll(async () => {
  await backend.close();
  redis.disconnect();
});

const page = await readFile(join(import.meta.dirname, "../../../../docs/state.md"), "utf8");

/** Each example: a program, the redis-cli session that follows it, and the heading above them. */
const examples = page.split(/^## /m).flatMap((section) =>
  [...section.matchAll(/```ts\n(.*?)```\s+```console\n(.*?)```/gs)].map(([, program = "", session = ""]) => ({
    heading: section.slice(0, section.indexOf("\n")),
    program,
    session,
  })),
);

test("docs/state.md has examples", () => {
  expect(examples.length).toBeGreaterThanOrEqual(5);
});

test.for(examples)("docs/state.md, $heading: redis-cli prints what the page shows", async ({ program, session }) => {
  const AsyncFunction = (async () => {}).constructor as new (...code: string[]) => (...args: unknown[]) => Promise<void>;
  await new AsyncFunction("RateLimiter", "backend", program)(RateLimiter, backend);
  const lines = session.trim().split("\n");
  for (let i = 0; i < lines.length; i += 2) {
    const [, command = "", ...args] = (lines[i] as string).replace(/^\$ /, "").split(" ");
    const said = await redis.call(command, ...args);
    if (command === "PTTL") {
      const expected = Number(/\d+/.exec(lines[i + 1] as string));
      expect(said).toBeLessThanOrEqual(expected);
      expect(said).toBeGreaterThan(expected - 500);
    } else expect(typeof said === "number" ? `(integer) ${said}` : JSON.stringify(said)).toBe(lines[i + 1]);
  }
});

test("docs/state.md, A lease: redis-cli prints what the page shows, apart from the random name of the generation", async () => {
  const [, session = ""] = /## A lease.*?```console\n(.*?)```/s.exec(page) ?? [];
  const policy = definePolicy({ rate: 1000, period: 1 });
  const store = new RedisStore(new Connection(SharedClient.of(redis)));
  const request = { tokens: 100, horizonMs: 50, validMs: 100, handBack: [] };
  const { generation } = await store.lease({ prefix: "ratelimit:hot:", policy }, "user:123", request);
  const [, value, , ttl] = session.trim().split("\n");
  expect(JSON.stringify(await redis.get("ratelimit:hot:user:123"))).toBe(value?.replace("h73:", `h${generation}:`));
  const ms = await redis.pttl("ratelimit:hot:user:123");
  expect(ms).toBeLessThanOrEqual(Number(/\d+/.exec(ttl ?? "")));
  expect(ms).toBeGreaterThan(100);
});

test.each([
  ["whole milliseconds", { rate: 100, period: 60 }],
  ["a slack", { rate: 7, period: 60 }],
] as const)("a key takes at most 72 bytes: %s", async (_, policy) => {
  const limiter = new RateLimiter({ ...policy, name: "rl", keyPrefix: "", backend });
  for (let i = 0; i < 5; i++) await limiter.check("user:123");
  expect(await redis.memory("USAGE", "rl:user:123")).toBeLessThanOrEqual(72);
  await limiter.reset("user:123");
  await limiter.close();
});
