import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { RedisBackend, type RedisClient, safeRedisOptions } from "@ratelimit/backend-redis";
import { RateLimitError, RateLimiter, type RateLimitResult } from "@ratelimit/core";
import { startStandalone, startTls } from "@ratelimit/testbed";
import { Redis } from "ioredis";
import { describe, expect, inject, test } from "vitest";
import { like } from "../support/like.ts";
import { strict } from "../support/strict.ts";
import { makeUser, rights } from "../support/user.ts";

function limiterOn(backend: RedisBackend): RateLimiter {
  return new RateLimiter({ rate: 1000, period: 60, backend, name: randomUUID() });
}

/** Calls until one is answered, and returns how many ms that took. */
async function untilAnswered(limiter: RateLimiter, within: number): Promise<number> {
  const start = performance.now();
  for (;;) {
    const outcome = await limiter.check("key").catch((error: unknown) => error);
    const taken = performance.now() - start;
    if (!(outcome instanceof Error)) return taken;
    expect(outcome).toMatchObject({ name: "RateLimitError", code: "BACKEND", status: 503 });
    if (taken > within) throw new Error(`Not answered within ${within} ms`, { cause: outcome });
    await sleep(5);
  }
}

async function failureOf(call: Promise<RateLimitResult>): Promise<RateLimitError> {
  const outcome = await call.catch((error: unknown) => error);
  expect(outcome).toBeInstanceOf(RateLimitError);
  return outcome as RateLimitError;
}

describe("a server", () => {
  test("that is down at the start is reported with the reason, and used within a second of its start", async () => {
    await using own = await startStandalone();
    await own.server.kill();
    await using backend = new RedisBackend({ url: own.url, ...strict });
    const limiter = limiterOn(backend);
    const failures = await Promise.all([failureOf(limiter.check("key")), failureOf(limiter.check("key"))]);
    for (const failure of failures) expect(failure).toMatchObject({ code: "BACKEND", cause: { code: "ECONNREFUSED" } });
    await own.server.restart();
    expect(await untilAnswered(limiter, 1000)).toBeLessThan(1000);
  });

  test("that is killed under load fails the calls in flight without repeating them, and is used within a second", async () => {
    await using own = await startStandalone();
    await using backend = new RedisBackend({ url: own.url, ...strict });
    const limiter = limiterOn(backend);
    await limiter.check("key");
    own.server.pause();
    const underWay = Promise.allSettled(Array.from({ length: 50 }, () => limiter.check("key")));
    await sleep(20);
    await own.server.kill();
    for (const outcome of await underWay)
      expect(outcome).toMatchObject({ status: "rejected", reason: { code: "BACKEND", cause: { message: like(/./) } } });
    await own.server.restart();
    expect(await untilAnswered(limiter, 1000)).toBeLessThan(1000);
    expect((await limiter.peek("key")).remaining).toBe(999);
  });

  test("that is or becomes a replica is reported, and used again once it is a master", async () => {
    await using own = await startStandalone();
    const admin = new Redis(own.url);
    const { hostname, port } = new URL(inject("redis").url);
    await admin.call("REPLICAOF", hostname, port);
    await using backend = new RedisBackend({ url: own.url, ...strict });
    const limiter = limiterOn(backend);
    for (let i = 0; i < 2; i++) expect((await failureOf(limiter.check("key"))).message).toMatch(/got a replica/);
    await admin.call("REPLICAOF", "NO", "ONE");
    expect(await untilAnswered(limiter, 1000)).toBeLessThan(1000);
    await admin.call("REPLICAOF", hostname, port);
    expect(await failureOf(limiter.check("key"))).toMatchObject({
      code: "BACKEND",
      cause: { message: like(/^READONLY/) },
    });
    await sleep(200);
    expect(await failureOf(limiter.peek("key"))).toMatchObject({ code: "BACKEND" });
    await admin.call("REPLICAOF", "NO", "ONE");
    expect(await untilAnswered(limiter, 1000)).toBeLessThan(1000);
    admin.disconnect();
  });
});

describe("a user", () => {
  const { url, ca } = inject("redis").tls;
  const { hostname: host, port } = new URL(url);
  const admin = new Redis(url, { tls: { ca } });
  const clientOf = (user: object): Redis => new Redis({ ...safeRedisOptions, host, port: Number(port), tls: { ca }, ...user });

  test.each([
    ["INFO", rights.filter((right) => right !== "+info")],
    ["HELLO", rights.filter((right) => right !== "+hello")],
    ["PING", rights.filter((right) => right !== "+ping")],
  ])("who may not call %s is served anyway", async (_, rights) => {
    const client = clientOf(await makeUser([admin], rights));
    const limiter = limiterOn(new RedisBackend({ client, ...strict }));
    expect((await limiter.check("key")).allowed).toBe(true);
    client.disconnect();
  });

  test.each(["+evalsha", "+get", "+set", "+pttl", "+pexpire", "~ratelimit:*"])(
    "who lacks %s gets an error that says so",
    async (missing) => {
      const client = clientOf(
        await makeUser(
          [admin],
          rights.filter((right) => right !== missing),
        ),
      );
      const limiter = limiterOn(new RedisBackend({ client, ...strict }));
      // The first call finds no bucket, so it does not read its expiry.
      const calls = [
        await limiter.check("key").catch((error: unknown) => error),
        await limiter.check("key").catch((error: unknown) => error),
      ];
      expect(calls[1]).toMatchObject({
        code: "BACKEND",
        cause: { name: "ReplyError", message: like(/permission|can't run/i) },
      });
      client.disconnect();
    },
  );

  test("whose password is wrong gets an error that says so without the password", async () => {
    const { username } = await makeUser([admin], rights);
    const client = clientOf({ username, password: "s3cr3t" });
    const error = await failureOf(limiterOn(new RedisBackend({ client, ...strict })).check("key"));
    expect(error).toMatchObject({ code: "BACKEND", cause: { message: like(/WRONGPASS/) } });
    for (let thing: unknown = error; thing instanceof Error; thing = thing.cause)
      expect(
        JSON.stringify(Object.getOwnPropertyNames(thing).map((name) => (thing as unknown as Record<string, unknown>)[name])),
      ).not.toContain("s3cr3t");
    client.disconnect();
    admin.disconnect();
  });
});

test("a certificate for another host is reported as the cause", async () => {
  await using tls = await startTls({ certificate: "wrong-name" });
  const { hostname: host, port } = new URL(tls.url);
  const client = new Redis({ ...safeRedisOptions, host, port: Number(port), tls: { ca: tls.ca }, password: tls.password });
  expect(await failureOf(limiterOn(new RedisBackend({ client, ...strict })).check("key"))).toMatchObject({
    code: "BACKEND",
    cause: { code: "ERR_TLS_CERT_ALTNAME_INVALID" },
  });
  client.disconnect();
});

describe("a reply that is not from this script is never treated as a decision", () => {
  test.each([
    ["OK"],
    [""],
    [" "],
    ["1.5"],
    ["0x10"],
    ["1e3"],
    [Number.NaN],
    [1.5],
    [2 ** 53],
    [undefined],
    [true],
    [{}],
    [[]],
    [["abc"]],
    [[1.5]],
    [[[1]]],
    [["1", "abc"]],
  ])("%j", async (reply) => {
    const client: RedisClient = {
      status: "ready",
      evalsha: async () => reply,
      eval: async () => reply,
      info: async () => "",
      connect: async () => {},
      on: () => {},
      off: () => {},
    };
    const backend = new RedisBackend({ client, ...strict });
    for (const limits of [
      [{ name: "a", rate: 1 }],
      [
        { name: "a", rate: 1 },
        { name: "b", rate: 1 },
      ],
    ] as const) {
      const limiter = new RateLimiter({ limits: [...limits], backend, name: randomUUID() });
      // One at a time, because a reply to all of them together would have to be a list.
      for (const call of [() => limiter.check("key"), () => limiter.peek("key"), () => limiter.charge("key", 1)])
        await expect(call()).rejects.toMatchObject({ code: "BACKEND" });
    }
  });

  test("nor is an error that the client throws", async () => {
    const broken = (): never => {
      throw new TypeError("broken");
    };
    const client: RedisClient = {
      status: "ready",
      evalsha: broken,
      eval: broken,
      info: broken,
      connect: broken,
      on: () => {},
      off: () => {},
    };
    const limiter = limiterOn(new RedisBackend({ client, ...strict }));
    expect(await failureOf(limiter.check("key"))).toMatchObject({ code: "BACKEND", cause: { name: "TypeError" } });
    await expect(limiter.reset("key")).rejects.toMatchObject({ code: "BACKEND" });
  });
});
