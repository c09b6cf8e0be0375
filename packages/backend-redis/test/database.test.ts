import { type OutageEvent, RateLimiter } from "@ratelimit/core";
import { startStandalone } from "@ratelimit/testbed";
import { Redis } from "ioredis";
import { expect, test } from "vitest";
import { RedisBackend } from "../src/index.ts";

test("a database that the server does not have is an outage, and no other one is used instead", async () => {
  await using standalone = await startStandalone();
  const events: OutageEvent[] = [];
  const backend = new RedisBackend({ url: `${standalone.url}/99`, onOutage: (event) => events.push(event) });
  const limiter = new RateLimiter({ name: "api", rate: 5, backend });
  expect((await limiter.check("key")).source).toBe("local");
  expect((await limiter.check("key")).source).toBe("local");
  expect(events[0]).toMatchObject({ class: "server", reason: expect.stringContaining("DB index is out of range") as string });
  await backend.close();
  const client = new Redis(standalone.url);
  expect(await client.keys("*")).toEqual([]);
  client.disconnect();
});

test("a database that the server has is used", async () => {
  await using standalone = await startStandalone();
  const backend = new RedisBackend({ url: `${standalone.url}/3`, outage: "throw" });
  expect((await new RateLimiter({ name: "api", rate: 5, backend }).check("key")).source).toBe("backend");
  await backend.close();
  const client = new Redis(`${standalone.url}/3`);
  expect(await client.keys("*")).toEqual(["ratelimit:api:key"]);
  client.disconnect();
});
