import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { RedisBackend, safeRedisOptions } from "@ratelimit/backend-redis";
import { definePolicy, RateLimiter } from "@ratelimit/core";
import type { KeyScope } from "@ratelimit/core/backend";
import { startStandalone } from "@ratelimit/testbed";
import { Redis } from "ioredis";
import { Redis as Redis5 } from "ioredis5";
import { afterAll, describe, expect, inject, test } from "vitest";
import { classOf, failure } from "../../src/failure.ts";
import { like } from "../support/like.ts";
import { Events } from "../support/load.ts";
import { strict, strictAsked } from "../support/strict.ts";
import { makeUser, rights } from "../support/user.ts";

const { url } = inject("redis");
const admin = new Redis(url);
afterAll(() => admin.disconnect());

const open = (user: object): Redis => new Redis(url, { ...safeRedisOptions, ...user });
const open5 = (user: object): Redis5 => new Redis5(url, { ...safeRedisOptions, ...user });

/** Opens a client whose user has only the rights that the docs list. */
async function limitedClient(): Promise<Redis> {
  return open(await makeUser([admin], rights));
}

describe("a limiter whose keys the user may not access", () => {
  test("is decided by `outage` and reported, while Redis decides all others", async () => {
    const client = await limitedClient();
    const events = new Events();
    await using backend = new RedisBackend({ client, onOutage: events.listener, denyCache: false });
    const good = new RateLimiter({ name: randomUUID(), rate: 1000, backend });
    const bad = new RateLimiter({ name: "bad", keyPrefix: "elsewhere:", rate: 3, period: "1h", backend });
    const [ofGood, ofBad] = [[] as string[], [] as string[]];
    let admitted = 0;
    for (let round = 0; round < 40; round++) {
      const turn = await Promise.all([good.check("a"), bad.check("x"), good.check("b"), bad.check("x"), good.check("c")]);
      for (const [i, { source, allowed }] of turn.entries()) {
        (i % 2 === 0 ? ofGood : ofBad).push(source);
        if (i % 2 === 1 && allowed) admitted++;
      }
      await sleep(30);
    }
    expect([new Set(ofGood), new Set(ofBad), admitted]).toEqual([new Set(["backend"]), new Set(["local"]), 3]);
    expect(events.all.length).toBeLessThan(4);
    for (const event of events.all)
      expect(event).toMatchObject({ class: "limiter", source: "local", reason: like(/^NOPERM/), prefix: "elsewhere:bad:" });
    client.disconnect();
  });

  test("is reported as recovered once the user has access", async () => {
    const user = await makeUser([admin], rights);
    const client = open(user);
    const events = new Events();
    await using backend = new RedisBackend({ client, onOutage: events.listener });
    const bad = new RateLimiter({ name: randomUUID(), keyPrefix: "elsewhere:", rate: 100, backend });
    expect((await bad.check("x")).source).toBe("local");
    await admin.call("ACL", "SETUSER", user.username, "~elsewhere:*");
    for (let i = 0; i < 3; i++) expect((await bad.check("x")).source).toBe("backend");
    expect(events.all).toMatchObject([{ class: "limiter" }, { class: "limiter", recovered: true }]);
    client.disconnect();
  });

  test("does not fail calls of other limiters that are sent in the same script", async () => {
    const client = await limitedClient();
    const backend = new RedisBackend({ client, ...strictAsked });
    // They share a policy, so their calls are sent in one script.
    const policy = definePolicy({ rate: 10 });
    const [good, bad]: KeyScope[] = [
      { prefix: `ratelimit:${randomUUID()}:`, policy },
      { prefix: "elsewhere:", policy },
    ];
    await backend.take(good as KeyScope, "first", 1);
    const scopes = Array.from({ length: 12 }, (_, i) => (i % 3 === 2 ? bad : good) as KeyScope);
    const outcomes = await Promise.allSettled(scopes.map(async (scope, i) => backend.take(scope, `key ${i}`, 2)));
    for (const [i, outcome] of outcomes.entries())
      if (i % 3 === 2) expect(outcome).toMatchObject({ status: "rejected", reason: { cause: { message: like(/^NOPERM/) } } });
      else expect(outcome).toMatchObject({ status: "fulfilled", value: { allowed: true, used: 2 * policy.limits[0].unitsPerToken } });
    await backend.close();
    client.disconnect();
  });

  test("says how to grant access, and does not blame the key", async () => {
    const client = await limitedClient();
    await using backend = new RedisBackend({ client, ...strict });
    const bad = new RateLimiter({ name: "bad", keyPrefix: "elsewhere:", rate: 3, backend });
    for (const call of [bad.check("secret"), bad.peek("secret"), bad.charge("secret", 1), bad.reset("secret")]) {
      const error = (await call.catch((error: unknown) => error)) as Error;
      expect(error).toMatchObject({
        code: "BACKEND",
        message: like(/^Expected the Redis user .* `keyPrefix`/),
        cause: { message: like(/^NOPERM/) },
      });
      expect(error).not.toHaveProperty("keyOnly");
      expect(`${error.message} ${String(error.cause)}`).not.toContain("secret");
    }
    client.disconnect();
  });

  test("does not prolong an outage for others: a refused probe on its prefix counts as an answer", async () => {
    await using server = await startStandalone();
    const own = new Redis(server.url);
    const { username, password } = await makeUser([own], rights);
    const events = new Events();
    const options = { username, password, host: server.host, port: server.port };
    const client = new Redis({ ...safeRedisOptions, ...options });
    await using backend = new RedisBackend({ client, onOutage: events.listener });
    const good = new RateLimiter({ name: "good", rate: 1000, backend });
    const bad = new RateLimiter({ name: "bad", keyPrefix: "elsewhere:", rate: 1000, backend });
    await good.check("key");
    server.server.pause();
    // Only calls of the refused limiter open the breaker.
    const end = performance.now() + 900;
    while (performance.now() < end) await bad.check("key");
    expect((await good.check("key")).source).toBe("local");
    server.server.resume();
    const resumedAt = performance.now();
    while ((await good.check("key")).source !== "backend") await sleep(5);
    expect(performance.now() - resumedAt).toBeLessThan(1000);
    expect(events.recovered).toBe(1);
    client.disconnect();
    own.disconnect();
  });
});

describe("a user who lacks a right that the script needs", () => {
  test.each([
    ["+get", open],
    ["+get", open5],
    ["+pttl", open],
    ["+set", open],
    ["+pexpire", open],
  ] as const)(
    "(%s) gets an error about that right and not about the key's contents, even in a script with many keys",
    async (missing, open) => {
      const granted = rights.filter((right) => right !== missing);
      const client = open(await makeUser([admin], granted));
      await using backend = new RedisBackend({ client, ...strictAsked });
      const limiter = new RateLimiter({ name: randomUUID(), rate: 10, backend });
      const errors: unknown[] = [];
      for (let round = 0; round < 2; round++)
        for (const outcome of await Promise.allSettled(
          Array.from({ length: 8 }, (_, i) => limiter.check(`key ${i % 4}`, { cost: 1 + (i % 2) })),
        ))
          if (outcome.status === "rejected") errors.push(outcome.reason);
      expect(errors.length).toBeGreaterThan(3);
      for (const error of errors) {
        expect(error).toMatchObject({
          code: "BACKEND",
          cause: { name: "ReplyError", message: like(/can't run this command|permissions to run/) },
        });
        expect(error).not.toHaveProperty("keyOnly");
      }
      client.disconnect();
    },
  );
});

describe("an error reply", () => {
  // In the wording of Redis 6.2 and 7.0, and of Redis 7.2 and Valkey.
  test.each([
    ["NOPERM this user has no permissions to access one of the keys used as arguments", "limiter"],
    ["NOPERM No permissions to access a key", "limiter"],
    ["NOPERM this user has no permissions to run the 'evalsha' command", "server"],
    ["NOPERM User key has no permissions to run the 'evalsha' command", "server"],
    ["ERR The user executing the script can't run this command or subcommand script: 6b1bf4, on @user_script:12.", "server"],
    [
      "NOPERM ACL failure in script: User limiter has no permissions to run the 'get' command script: 6b1bf4, on @user_script:12.",
      "server",
    ],
    ["MOVED 3999 127.0.0.1:6381", "key"],
    ["ASK 3999 127.0.0.1:6381", "key"],
    ["OOM command not allowed when used memory > 'maxmemory'.", "server"],
  ])("%j has class %s, and does not blame a stored value", (message, kind) => {
    const error = failure(Object.assign(new Error(message), { name: "ReplyError" }));
    expect(classOf(error)).toBe(kind);
    expect(error).not.toHaveProperty("keyOnly");
    expect(error.message).not.toContain("127.0.0.1");
  });
});
