import { RedisBackend, type RedisBackendOptions, safeClusterOptions, safeRedisOptions } from "@ratelimit/backend-redis";
import { RateLimitError, RateLimiter } from "@ratelimit/core";
import type {} from "@ratelimit/testbed";
import { Cluster, Redis } from "ioredis";
import { Redis as Redis5 } from "ioredis5";
import { describe, expect, expectTypeOf, inject, test } from "vitest";

const secret = "s3cr3t";
const port = new URL(inject("redis").url).port;

/** Returns the message with which the constructor must fail. */
function problemOf(options: unknown): string {
  try {
    void new RedisBackend(options as RedisBackendOptions).close();
  } catch (error) {
    expect(error).toBeInstanceOf(RateLimitError);
    expect(error).toMatchObject({ code: "INVALID_OPTION" });
    expect(String(error)).not.toContain(secret);
    return (error as RateLimitError).message;
  }
  throw new Error("Expected the constructor to throw");
}

/** Returns the options with which ioredis is opened. */
async function openedWith(options: object): Promise<unknown> {
  const { openIoredis } = await import("../src/clients/own.ts");
  const client = openIoredis(options as Parameters<typeof openIoredis>[0]);
  client.on("error", () => {});
  client.disconnect();
  return client.options;
}

describe("an invalid URL is rejected before anything is opened", () => {
  test.each([
    "",
    " ",
    "localhost",
    "localhost:6379",
    "//localhost",
    "/tmp/redis.sock",
    "unix:///tmp/redis.sock",
    "http://localhost:6379",
    `redis://:${secret}`,
    `redis://user:${secret}@`,
    `redis://user:${secret}@:6379`,
    `redis://user:${secret}@localhost:0`,
    `redis://user:${secret}@localhost:99999`,
    `redis://user:${secret}@localhost:port`,
    `redis://user:${secret}@localhost/abc`,
    `redis://user:${secret}@localhost/1/2`,
    `redis://user:${secret}@localhost/-1`,
    `redis://user:${secret}@localhost/1.5`,
    `redis://localhost?password=${secret}`,
    `redis://user:${secret}@localhost#fragment`,
    `redis://user:${secret}%zz@localhost`,
    `redis://user:${secret} @localhost`,
    `redis://user:${secret}\n@localhost`,
    `redis://user:${secret}/@localhost`,
    `redis://user:${secret}?@localhost`,
    `redis://user:${secret}#@localhost`,
    `redis:user:${secret}@localhost`,
    `http://user:${secret}@localhost`,
    ` redis://user:${secret}@localhost`,
  ])("%j", (url) => {
    expect(problemOf({ url })).toMatch(/^Expected `url` to be redis:\/\//);
  });

  test.each([6379, null, 10n, true, {}, [], () => "redis://localhost"])("%s", (url) => {
    expect(problemOf({ url })).toMatch(/^Expected `url` to be redis:\/\//);
  });
});

describe("a URL is opened as written", () => {
  test.each([
    ["redis://localhost", {}],
    ["redis://127.0.0.1:PORT/3", { host: "127.0.0.1", db: 3 }],
    ["redis://user:p%40ss%2Fw%3Ard@127.0.0.1:PORT", { username: "user", password: "p@ss/w:rd" }],
    ["redis://:pass@127.0.0.1:PORT", { username: null, password: "pass" }],
    ["redis://[::1]:PORT?family=6", { host: "::1", family: 6 }],
    ["rediss://127.0.0.1:PORT/", { tls: {}, db: 0 }],
    ["REDIS://127.0.0.1:PORT", { host: "127.0.0.1", port: Number(port) }],
  ])("%s", async (url, expected) => {
    const { openIoredis } = await import("../src/clients/own.ts");
    const client = openIoredis({ url: url.replace("PORT", port) });
    client.on("error", () => {});
    expect((client as Redis).options).toMatchObject({ ...expected, enableOfflineQueue: false, maxRetriesPerRequest: 0 });
    client.disconnect();
  });
});

describe("other options", () => {
  const client = new Redis({ lazyConnect: true });

  test.each([
    [undefined, /^Expected `options` to be an object of options, got undefined/],
    [null, /^Expected `options` to be an object of options, got null/],
    [[], /^Expected `options` to be an object of options, got \[\]/],
    ["redis://localhost", /^Expected `options` to be an object of options, got "redis:\/\/localhost"/],
    [{}, /^Expected one of `url`, `cluster`, `sentinels`, `client`, got none: write for example url: /],
    [{ url: undefined }, /^Expected one of .* got none/],
    [{ ulr: "redis://localhost" }, /Unknown option `ulr`: did you mean `url`\?/],
    [{ url: "redis://localhost", sentinel: [] }, /^Unknown option `sentinel`: did you mean `sentinels`\?/],
    [{ url: "redis://localhost", client }, /^Expected one of .* got url and client/],
    [{ url: "redis://localhost", name: "mymaster" }, /^Expected `name` to be absent beside `url`/],
    [{ client, options: {} }, /^Expected `options` to be absent beside `client`/],
    [{ cluster: [] }, /^Expected `cluster` to be a non-empty array of nodes/],
    [{ cluster: "localhost:6379" }, /^Expected `cluster` to be a non-empty array of nodes/],
    [{ cluster: [{}] }, /^Expected `cluster`/],
    [{ cluster: [null] }, /^Expected `cluster`/],
    [{ cluster: [{ host: "", port: 6379 }] }, /^Expected `cluster`/],
    [{ cluster: [{ host: "localhost", port: "6379" }] }, /^Expected `cluster`/],
    [{ cluster: [0] }, /^Expected `cluster`/],
    [{ cluster: [`redis://:${secret}`] }, /^Expected `cluster`/],
    [{ cluster: [6379], options: [] }, /^Expected `options` to be an object of ioredis options, got \[\]/],
    [{ cluster: [6379], options: `redis://:${secret}@localhost` }, /^Expected `options`/],
    [{ cluster: [6379], name: "mymaster" }, /^Expected `name` to be absent beside `cluster`/],
    [{ sentinels: [], name: "mymaster" }, /^Expected `sentinels` to be a non-empty array of addresses/],
    [{ sentinels: [{ host: "localhost", port: 0 }], name: "mymaster" }, /^Expected `sentinels`/],
    [
      { sentinels: [{ host: "localhost", port: 26379 }] },
      /^Expected `name` to be the name by which the Sentinels know the master, got undefined/,
    ],
    [{ sentinels: [{ host: "localhost", port: 26379 }], name: "" }, /^Expected `name`/],
    [{ sentinels: [`redis://:${secret}@localhost`], name: "mymaster" }, /^Expected `sentinels` .*\*\*\*@localhost/],
    [{ client: `redis://:${secret}@localhost` }, /^Expected `client`/],
    [{ client: "redis://localhost" }, /^Expected `client` to be an ioredis Redis or Cluster/],
    [{ client: {} }, /^Expected `client`/],
    [
      { client: { evalSha() {}, eval() {}, del() {}, info() {}, connect() {}, on() {}, off() {} } },
      /^Expected `client` .* write client: new Redis\(\)/,
    ],
  ])("%# are rejected", (options, problem) => {
    expect(problemOf(options)).toMatch(problem);
  });

  describe.each([
    ["timeout", "a length of time with its unit"],
    ["instances", "a positive integer"],
    ["outage", '"local", "open", "closed" or "throw"'],
    ["onOutage", "a function"],
    ["denyCache", "true or false"],
  ])("%s", (option, expects) => {
    test.each([[0], [-1], [Number.NaN], [Number.POSITIVE_INFINITY], ["100"], [null], [10n], [2 ** 53], [0.5], [[]], [{}]])(
      "of %s is rejected",
      (value) => {
        for (const way of [{ url: "redis://localhost" }, { client }])
          expect(problemOf({ ...way, [option]: value })).toMatch(new RegExp(`^Expected \`${option}\` to be ${expects}, got `));
      },
    );
  });

  test.each([[0], [-1], [Number.NaN], [Number.POSITIVE_INFINITY], ["100"], [null], [10n], [true], [2 ** 53], [0.5], [65_536]])(
    "a port of %s is rejected",
    (port) => {
      expect(problemOf({ cluster: [{ host: "localhost", port }] })).toMatch(/^Expected `cluster`/);
      expect(problemOf({ sentinels: [{ host: "localhost", port }], name: "mymaster" })).toMatch(/^Expected `sentinels`/);
    },
  );

  test.each([
    [JSON.parse('{"url":"redis://localhost","__proto__":{"outage":"open"}}'), /^Unknown option `__proto__`/],
    [Object.assign(Object.create({ timeout: 1 }), { url: "redis://localhost" }), /^Expected `timeout`/],
    [{ url: "redis://localhost", maxKeys: 5 }, /^Unknown option `maxKeys`/],
    [{ url: "redis://localhost", denycache: false }, /^Unknown option `denycache`: did you mean `denyCache`\?/],
  ])("%j is rejected", (options, problem) => {
    expect(problemOf(options)).toMatch(problem);
  });

  test("two ways to connect do not compile", () => {
    const mistakes = (): RedisBackend[] => [
      // @ts-expect-error: a URL and a Cluster
      new RedisBackend({ url: "redis://localhost", cluster: [{ host: "localhost", port: 6379 }] }),
      // @ts-expect-error: a client and a URL
      new RedisBackend({ client, url: "redis://localhost" }),
      // @ts-expect-error: Sentinels without the name of the master
      new RedisBackend({ sentinels: [{ host: "localhost", port: 26379 }] }),
      // @ts-expect-error: no way at all
      new RedisBackend({ timeout: "50ms" }),
    ];
    expectTypeOf(mistakes).returns.toBeArray();
  });

  describe.concurrent("that are undefined count as absent", () => {
    const closedPort = { host: "127.0.0.1", port: 1 };
    test.each([
      ["client", { url: "redis://127.0.0.1:1", client: undefined }],
      ["url beside cluster", { url: undefined, cluster: [closedPort], client: undefined }],
      ["url beside sentinels", { url: undefined, sentinels: [closedPort], name: "mymaster" }],
      ["sentinels beside cluster", { sentinels: undefined, name: undefined, cluster: [closedPort], options: undefined }],
      [
        "all others beside client",
        { client, url: undefined, cluster: undefined, sentinels: undefined, name: undefined, options: undefined },
      ],
      [
        "decision options",
        { client, timeout: undefined, outage: undefined, instances: undefined, onOutage: undefined, denyCache: undefined },
      ],
    ] satisfies [string, RedisBackendOptions][])("%s", async (_, options) => {
      await new RedisBackend(options).close();
    });

    test("within `options` too: they do not replace safe options with the defaults of ioredis", async () => {
      const undefinedOnes = { enableOfflineQueue: undefined, maxRetriesPerRequest: undefined, connectTimeout: undefined };
      expect(await openedWith({ sentinels: [closedPort], name: "mymaster", options: undefinedOnes })).toMatchObject({
        enableOfflineQueue: false,
        maxRetriesPerRequest: 0,
        connectTimeout: 2000,
      });
      const redisOptions = { connectTimeout: undefined, password: "p" };
      expect(await openedWith({ cluster: [closedPort], options: { enableOfflineQueue: undefined, redisOptions } })).toMatchObject({
        enableOfflineQueue: false,
        redisOptions: { connectTimeout: 2000, password: "p" },
      });
    });
  });

  describe("that are inherited are read like own properties", () => {
    class Settings {
      get url(): string {
        return "redis://127.0.0.1:1";
      }
      get outage(): "closed" {
        return "closed";
      }
      onOutage(): void {}
    }

    test.each([
      ["a class with getters", new Settings()],
      ["a prototype", Object.create(Object.freeze({ url: "redis://127.0.0.1:1", outage: "closed", onOutage: () => {} })) as Settings],
    ])("from %s", async (_, options) => {
      await using backend = new RedisBackend(options);
      const { source } = await new RateLimiter({ rate: 1, backend, name: "inherited" }).check("key");
      expect(source).toBe("closed");
    });

    test("from an object with an inherited client, and in the options for ioredis", async () => {
      await new RedisBackend(Object.create({ client }) as RedisBackendOptions).close();
      const options = Object.create({ password: "p", enableOfflineQueue: true }) as object;
      expect(await openedWith({ sentinels: [{ host: "127.0.0.1", port: 1 }], name: "mymaster", options })).toMatchObject({
        password: "p",
        enableOfflineQueue: true,
        maxRetriesPerRequest: 0,
      });
    });
  });

  test("may be frozen", async () => {
    await new RedisBackend(Object.freeze({ client, outage: undefined })).close();
  });

  test("that are wrong are all reported at once", () => {
    const message = problemOf({ sentinels: [], nmae: "mymaster", url: `http://user:${secret}@localhost` });
    expect(message).toMatch(/^\d problems:\n {2}- /);
    for (const part of ["`sentinels`", "`nmae`: did you mean `name`?", "`url`", "got url and sentinels"]) expect(message).toContain(part);
  });

  test.each([
    ["a Redis of version 6", () => new Redis({ lazyConnect: true })],
    ["a Redis of version 5", () => new Redis5({ lazyConnect: true })],
    ["a Cluster", () => new Cluster([6379], { lazyConnect: true })],
  ])("accept %s, and leave it as it was", async (_, make) => {
    const client = make();
    const events = client.eventNames();
    await new RedisBackend({ client }).close();
    expect([client.status, client.eventNames()]).toEqual(["wait", events]);
  });
});

test("the options with which the backend opens clients are exported and frozen", () => {
  expect(safeRedisOptions).toMatchObject({
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    connectTimeout: 2000,
    maxLoadingRetryTime: 500,
  });
  expect(safeClusterOptions).toMatchObject({ enableOfflineQueue: false, retryDelayOnFailover: 0, retryDelayOnClusterDown: 0 });
  for (const options of [safeRedisOptions, safeClusterOptions, safeClusterOptions.redisOptions])
    expect(Object.isFrozen(options)).toBe(true);
  const delays = Array.from({ length: 2000 }, (_, i) => safeRedisOptions.retryStrategy(i + 1));
  expect(Math.max(...delays)).toBeLessThanOrEqual(500);
  expect(Math.min(...delays)).toBeGreaterThanOrEqual(40);
  expect(safeRedisOptions.reconnectOnError(new Error("READONLY You can't write against a read only replica."))).toBe(1);
  expect(safeRedisOptions.reconnectOnError(new Error("NOREPLICAS Not enough good replicas to write."))).toBe(1);
  expect(safeRedisOptions.reconnectOnError(new Error("ERR"))).toBe(false);
});
