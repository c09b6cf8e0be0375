import { RedisBackend } from "@ratelimit/backend-redis";
import { definePolicy, type PolicyOptions, RateLimiter } from "@ratelimit/core";
import { type RedisCluster, type Standalone, startCluster, startStandalone } from "@ratelimit/testbed";
import { Redis } from "ioredis";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import type { BucketView } from "../src/report/buckets.ts";
import { cli, json } from "./support/cli.ts";

interface Top {
  readonly buckets: number;
  readonly blocked: number;
  readonly top: readonly BucketView[];
}

/** One token takes 36 s, so that no bucket is full again before a busy machine has looked at it. */
const hundred = { rate: 100, period: "1h", burst: 150 } as const;

let redis: Standalone;
let client: Redis;
beforeAll(async () => {
  redis = await startStandalone();
  client = new Redis(redis.url);
}, 60_000);
beforeEach(async () => {
  await client.flushall();
});
afterAll(async () => {
  client?.disconnect();
  await redis?.stop();
});

/** A limiter of a program that uses the same Redis. */
function limiterOf(name: string, policy: PolicyOptions = hundred, url: string = redis.url): RateLimiter {
  const backend = new RedisBackend({ url, timeout: "5s", denyCache: false });
  onTestFinished(() => backend.close());
  return new RateLimiter({ name, backend, ...policy });
}

/** Runs a command against the server of the tests. */
function live(...args: string[]): ReturnType<typeof cli> {
  return cli([...args, "--url", redis.url]);
}

/** Everything that Redis holds, without the times to live. */
async function dump(): Promise<Record<string, string | null>> {
  const keys = await client.keys("*");
  return Object.fromEntries(await Promise.all(keys.sort().map(async (key) => [key, await client.get(key)] as const)));
}

describe("inspect", () => {
  test("shows the buckets of a key in every limiter, and nothing of other keys", async () => {
    await limiterOf("api").check("user:123", { cost: 100 });
    await limiterOf("my app: beta").check("user:123");
    await limiterOf("api").check("user:1234");
    await limiterOf("api").check("vip:user:123");
    const views = await json<BucketView[]>(["inspect", "user:123", "--url", redis.url]);
    expect(views.map(({ limiter, key }) => [limiter, key]).sort()).toEqual([
      ["api", "user:123"],
      ["my app: beta", "user:123"],
    ]);
    const [api] = views.filter(({ limiter }) => limiter === "api");
    expect(api).toMatchObject({ remaining: null, retryAfterSeconds: null, blockedSeconds: 0, isOfAnotherLimit: false });
    expect(api?.fullInSeconds).toBeGreaterThan(3500);
    expect(api?.fullInSeconds).toBeLessThanOrEqual(3600);
  });

  test("shows what is left of a given limit", async () => {
    await limiterOf("api", { rate: 10, period: "1h" }).check("user:123", { cost: 10 });
    const [view] = await json<BucketView[]>(["inspect", "user:123", "--name", "api", "--limit", "10/1h", "--url", redis.url]);
    expect(view).toMatchObject({ remaining: 0, isOfAnotherLimit: false });
    expect(view?.retryAfterSeconds).toBeGreaterThan(300);
    expect(view?.retryAfterSeconds).toBeLessThanOrEqual(360);
  });

  test("changes nothing, not even if another limit wrote the bucket", async () => {
    await limiterOf("api").check("user:123", { cost: 100 });
    const before = await dump();
    const [view] = await json<BucketView[]>(["inspect", "user:123", "--limit", "5/1m", "--url", redis.url]);
    expect(view).toMatchObject({ remaining: null, isOfAnotherLimit: true });
    const { stdout } = await live("inspect", "user:123", "--name", "api", "--limit", "5/1m");
    expect(stdout).toContain("another limit");
    expect(await dump()).toEqual(before);
  });

  test("counts what a lease holds as used, and shows no limit of its own for it", async () => {
    const [{ fingerprint }] = definePolicy(hundred).limits;
    // 10 tokens are held for a minute, and then flow back in 6 more.
    await client.set("ratelimit:api:user:123", `2|${fingerprint}:60000:0|${fingerprint}h73:360000:360000`, "PX", 420_000);
    const [view] = await json<BucketView[]>(["inspect", "user:123", "--limit", "100/1h:150", "--url", redis.url]);
    expect(view?.remaining).toBe(140);
    expect(view?.fullInSeconds).toBeGreaterThan(400);
    const { top } = await json<Top>(["top", "--url", redis.url]);
    expect(top.map(({ key }) => key)).toEqual(["user:123"]);
  });

  test("a key without a bucket has used nothing", async () => {
    const { stdout, code } = await live("inspect", "user:123");
    expect({ stdout, code }).toEqual({ code: 0, stdout: "No bucket for this key: nothing is used, and it is not blocked.\n" });
  });

  test.each([
    ["a string", () => client.set("ratelimit:api:user:123", "hello")],
    ["a list", () => client.rpush("ratelimit:api:user:123", "hello")],
  ])("%s in the place of a bucket is one sentence, and is not taken for an unused key", async (_, store) => {
    await store();
    for (const name of [[], ["--name", "api"]]) {
      const { code, stdout, stderr } = await live("inspect", "user:123", ...name);
      expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
      expect(stderr).toBe(
        'Something that is not a bucket is stored for "user:123" of the limiter "api": its calls are decided without Redis until you remove it with ratelimit reset\n',
      );
    }
    expect(await json<Top>(["top", "--url", redis.url])).toMatchObject({ buckets: 0 });
  });

  test.for(["{user}:100%", "a*b?[c]^d\\", "\u{1f600}", `long ${"x".repeat(2000)}`, "white space\nand lines"])("the key %j", async (key) => {
    await limiterOf("api").check(key);
    expect(await json<BucketView[]>(["inspect", key, "--name", "api", "--url", redis.url])).toMatchObject([{ limiter: "api", key }]);
    expect(await json<BucketView[]>(["inspect", key, "--url", redis.url])).toMatchObject([{ limiter: "api", key }]);
    expect(await json<BucketView[]>(["inspect", key.replace("*", "x"), "--name", "other", "--url", redis.url])).toEqual([]);
  });
});

describe("top", () => {
  test("lists the buckets that take longest to be full, and counts all", async () => {
    const api = limiterOf("api");
    await Promise.all(Array.from({ length: 1200 }, (_, i) => api.check(`user:${i}`, { cost: 50 + (i % 50) })));
    await api.check("user:heavy", { cost: 140 });
    await api.check("user:next", { cost: 120 });
    await limiterOf("mail").check("user:1");
    await api.block("user:bad", "2h");
    await client.set("ratelimit:api:foreign", "hello");
    await client.hset("ratelimit:api:hash", "a", "b");
    const { buckets, blocked, top } = await json<Top>(["top", "--name", "api", "--top", "3", "--limit", "100/1h:150", "--url", redis.url]);
    expect({ buckets, blocked }).toEqual({ buckets: 1203, blocked: 1 });
    expect(top.map(({ key }) => key)).toEqual(["user:bad", "user:heavy", "user:next"]);
    expect(top[1]?.remaining).toBeGreaterThanOrEqual(10);
    expect(top[1]?.remaining).toBeLessThan(40);
    const { stdout } = await live("top", "--top", "2");
    expect(stdout).toMatch(
      /^[\d,]+ buckets, 1 blocked\n\nkey +limiter +full in +blocked for\nuser:bad +api +(?:2 h|1 h 59 min) +(?:2 h|1 h 59 min)\n/,
    );
  });

  test("uses SCAN and never KEYS", async () => {
    const api = limiterOf("api");
    await Promise.all(Array.from({ length: 1500 }, (_, i) => api.check(`user:${i}`, { cost: 100 })));
    await client.config("RESETSTAT");
    await live("top");
    await live("inspect", "user:1");
    const stats = await client.info("commandstats");
    expect(stats).toMatch(/cmdstat_scan:calls=(?:[6-9]|\d\d)/);
    expect(stats).not.toContain("cmdstat_keys");
  });

  test("a key that holds commands for the terminal is shown harmless", async () => {
    await limiterOf("api").check("a\u001b[31mb");
    const { stdout } = await live("top");
    expect(stdout).toContain("a\\u{1b}[31mb");
    expect(stdout).not.toContain("\u001b");
  });

  test("an empty Redis", async () => {
    expect(await live("top")).toEqual({ code: 0, stderr: "", stdout: "No buckets: nobody has used anything.\n" });
  });
});

describe("block and reset", () => {
  test("refuse a client in every process and let it in again, whatever the policy is", async () => {
    const policies: PolicyOptions[] = [
      hundred,
      {
        limits: [
          { name: "second", rate: 10, period: 1 },
          { name: "hour", rate: 1000, period: "1h" },
        ],
      },
    ];
    for (const [i, policy] of policies.entries()) {
      const limiter = limiterOf(`api-${i}`, policy);
      await limiter.check("user:123", { cost: 5 });
      const before = (await limiter.peek("user:123")).limits.at(-1)?.remaining;
      expect((await live("block", "user:123", "10m", "--name", `api-${i}`)).code).toBe(0);
      const refused = await limiter.check("user:123");
      expect(refused.allowed).toBe(false);
      expect(refused.retryAfter).toBeGreaterThan(590);
      expect((await limiter.check("user:124")).allowed).toBe(true);
      expect(before).toBeDefined();
      expect((await live("reset", "user:123", "--name", `api-${i}`)).code).toBe(0);
      expect(await limiter.check("user:123")).toMatchObject({ allowed: true, remaining: limiter.policy.limits[0].burst - 1 });
    }
  });

  test("an IPv6 address means its network, by which the adapters limit it", async () => {
    const limiter = limiterOf("site");
    await limiter.check("ip:2001:db8:1:2::/64");
    const blocked = await live("block", "ip:2001:db8:1:2::9", "10m", "--name", "site");
    expect(blocked).toMatchObject({
      code: 0,
      stderr: "ip:2001:db8:1:2::9 is limited as ip:2001:db8:1:2::/64, unless its limiter sets another ipv6Prefix.\n",
    });
    expect((await limiter.check("ip:2001:db8:1:2::/64")).allowed).toBe(false);
    const [view] = await json<BucketView[]>(["inspect", "ip:2001:db8:1:2::9", "--url", redis.url]);
    expect(view).toMatchObject({ key: "ip:2001:db8:1:2::/64", limiter: "site" });
    await live("reset", "ip:2001:db8:1:2::9", "--name", "site");
    expect((await limiter.check("ip:2001:db8:1:2::/64")).allowed).toBe(true);
  });

  test("a block keeps what the bucket owes", async () => {
    const limiter = limiterOf("api", { rate: 10, period: "1h" });
    await limiter.check("user:123", { cost: 10 });
    const { stdout } = await live("block", "user:123", "60", "--name", "api");
    expect(stdout).toMatch(/^Blocked for 60 s\. /);
    const [view] = await json<BucketView[]>(["inspect", "user:123", "--name", "api", "--limit", "10/1h", "--url", redis.url]);
    expect(view?.blockedSeconds).toBeGreaterThan(50);
    expect(view?.fullInSeconds).toBeGreaterThan(3000);
  });

  test("need the name of the limiter and a length of time", async () => {
    expect(await live("reset", "user:123")).toEqual({
      code: 2,
      stdout: "",
      stderr: "Required option '--name <limiter>' not specified\n",
    });
    const { code, stderr } = await live("block", "user:123", "soon", "--name", "api");
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: 'Expected `duration` to be seconds, or a string such as "1m", of whole milliseconds above 0, got "soon": pass 60, or "1m"\n',
    });
    expect(await dump()).toEqual({});
  });

  test("--prefix chooses the buckets of another keyPrefix", async () => {
    const backend = new RedisBackend({ url: redis.url, timeout: "5s" });
    onTestFinished(() => backend.close());
    const limiter = new RateLimiter({ name: "api", keyPrefix: "shop:", backend, ...hundred });
    await live("block", "user:123", "10m", "--name", "api", "--prefix", "shop:");
    expect((await limiter.check("user:123")).allowed).toBe(false);
  });
});

describe("a Redis that cannot be used", () => {
  test.for([
    ["redis://:s3cret@127.0.0.1:1", "Cannot reach Redis at redis://***@127.0.0.1:1: ECONNREFUSED"],
    [
      "http://:s3cret@127.0.0.1",
      'Expected `--url` to be redis://[user:password@]host[:port][/database] or rediss://…, got "http://***@127.0.0.1": write for example "redis://localhost:6379"; percent-encode special characters in the password',
    ],
  ] as const)("%s is one sentence, without the password", async ([url, sentence]) => {
    const commands = [["top"], ["inspect", "a"], ["block", "a", "1m", "--name", "api"], ["reset", "a", "--name", "api"]];
    for (const ended of await Promise.all(commands.map((args) => cli([...args, "--url", url]))))
      expect(ended).toEqual({ code: 2, stdout: "", stderr: `${sentence}\n` });
  });

  test("a wrong password, a command that the user may not send, and a server that does not answer", { timeout: 60_000 }, async () => {
    await using locked = await startStandalone();
    const admin = new Redis(locked.url);
    await admin.call("ACL", "SETUSER", "reader", "on", ">secret", "~*", "+get", "+pttl", "+info", "+hello", "+ping");
    admin.disconnect();
    const url = (login: string): string => locked.url.replace("//", `//${login}@`);
    const wrong = await cli(["top", "--url", url("reader:wrong")]);
    expect(wrong).toMatchObject({ code: 2, stdout: "" });
    expect(wrong.stderr).toMatch(/^Cannot reach Redis at redis:\/\/\*\*\*@127\.0\.0\.1:\d+: WRONGPASS [^\n]*\n$/);
    const denied = await cli(["top", "--url", url("reader:secret")]);
    expect(denied).toMatchObject({ code: 2, stdout: "" });
    expect(denied.stderr).toMatch(/^Redis at redis:\/\/\*\*\*@127\.0\.0\.1:\d+ refuses: NOPERM [^\n]*scan[^\n]*\n$/);
    const deniedBlock = await cli(["block", "a", "1m", "--name", "api", "--url", url("reader:secret")]);
    expect(deniedBlock).toMatchObject({ code: 2, stdout: "" });
    expect(deniedBlock.stderr).toMatch(/^[^\n]*NOPERM[^\n]*\n$/);
    locked.server.pause();
    const frozen = await cli(["top", "--url", locked.url]);
    expect(frozen).toMatchObject({ code: 2, stdout: "" });
    expect(frozen.stderr).toMatch(/^Cannot reach Redis at redis:\/\/127\.0\.0\.1:\d+: [^\n]+\n$/);
    locked.server.resume();
  });

  test("a database that the server does not have, and a user who may not read", async () => {
    const wrong = await cli(["block", "a", "1m", "--name", "api", "--url", `${redis.url}/99`]);
    expect(wrong).toMatchObject({ code: 2, stdout: "" });
    expect(wrong.stderr).toMatch(/^Redis at redis:\/\/127\.0\.0\.1:\d+\/99 refuses: ERR DB index is out of range\n$/);
    expect(await dump()).toEqual({});
    await limiterOf("api").block("a", "1m");
    await using locked = await startStandalone();
    const admin = new Redis(locked.url);
    await admin.set("ratelimit:api:a", "1", "PX", 60_000);
    await admin.call("ACL", "SETUSER", "blind", "on", ">secret", "~*", "+@all", "-get");
    admin.disconnect();
    for (const args of [["inspect", "a"], ["top"]]) {
      const { code, stdout, stderr } = await cli([...args, "--url", locked.url.replace("//", "//blind:secret@")]);
      expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
      expect(stderr).toMatch(/^Redis at [^\n]+ refuses: NOPERM [^\n]+\n$/);
    }
  });

  test("the rights of a limiter and +scan are enough", async () => {
    const rights = "~ratelimit:* +evalsha +eval +get +set +pttl +pexpire +del +ping +hello +info +scan".split(" ");
    await client.call("ACL", "SETUSER", "limiter", "on", ">secret", ...rights);
    onTestFinished(() => void client.call("ACL", "DELUSER", "limiter"));
    const url = redis.url.replace("//", "//limiter:secret@");
    for (const args of [
      ["block", "a", "1m", "--name", "api"],
      ["inspect", "a", "--limit", "1/1m"],
      ["top"],
      ["reset", "a", "--name", "api"],
    ])
      expect(await cli([...args, "--url", url])).toMatchObject({ code: 0, stderr: "" });
  });

  test("a key that holds something else is left alone", async () => {
    await client.set("ratelimit:api:user:123", "hello");
    const { code, stderr } = await live("block", "user:123", "10m", "--name", "api");
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr:
        "Expected the bucket's key in Redis to hold what this library wrote there, got something else: delete the key, or use a keyPrefix that no other program uses\n",
    });
    expect(await dump()).toEqual({ "ratelimit:api:user:123": "hello" });
  });

  test("the address may come from the environment", async () => {
    await limiterOf("api").check("user:123");
    const { stdout } = await cli(["top"], { env: { RATELIMIT_REDIS_URL: redis.url } });
    expect(stdout).toContain("user:123");
  });
});

describe("a Cluster", () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await startCluster();
  }, 60_000);
  afterAll(async () => {
    await cluster?.stop();
  });

  test("every command reaches the keys of all masters", async () => {
    const backend = new RedisBackend({
      cluster: cluster.addresses.map(({ host, port }) => ({ host, port })),
      timeout: "5s",
      denyCache: false,
    });
    onTestFinished(() => backend.close());
    const limiter = new RateLimiter({ name: "api", backend, ...hundred });
    await Promise.all(Array.from({ length: 60 }, (_, i) => limiter.check(`user:${i}`, { cost: 50 })));
    const at = ["--cluster", cluster.addresses.map(({ host, port }) => `${host}:${port}`).join(",")];
    expect((await json<Top>(["top", ...at])).buckets).toBe(60);
    expect(await json<BucketView[]>(["inspect", "user:7", "--limit", "100/1h:150", ...at])).toMatchObject([{ limiter: "api" }]);
    expect((await cli(["block", "user:7", "10m", "--name", "api", ...at])).code).toBe(0);
    expect((await limiter.check("user:7")).allowed).toBe(false);
    expect((await cli(["reset", "user:7", "--name", "api", ...at])).code).toBe(0);
    expect((await limiter.check("user:7")).allowed).toBe(true);
  });

  test("a server that is no Cluster is one sentence", async () => {
    const { code, stderr } = await cli(["top", "--cluster", `${redis.host}:${redis.port}`]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^Cannot reach Redis at redis:\/\/127\.0\.0\.1:\d+: [^\n]*cluster[^\n]*\n$/i);
  });
});
