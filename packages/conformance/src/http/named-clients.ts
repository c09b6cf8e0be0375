import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { AnyRequest, Limiter, LimiterOptions } from "./app.ts";
import { field, limitFields } from "./client.ts";
import { assertRefused } from "./expect.ts";
import { type Fixture, type HttpRequirement, inTurn, requirement, route, type Site, statuses } from "./requirement.ts";

function limited(fixture: Fixture, call: Limiter["call"], options: LimiterOptions = {}): Promise<Site> {
  return fixture.site({ routes: [route("/", [{ ...fixture.limit(options), call }])] });
}

function asUser(user: unknown): Record<string, string> {
  return { "X-User": JSON.stringify(user) };
}

/** Returns what is stored for an API key. */
export function digest(key: string): string {
  return `apikey:${createHash("sha256").update(key, "utf16le").digest("hex")}`;
}

const users = requirement("limitByUser: the key is the user's id, or sub if there is no id", async (fixture) => {
  const site = await limited(fixture, "limitByUser");
  for (const [user, key] of [
    ["ada", "user:ada"],
    [7, "user:7"],
    [0, "user:0"],
    [{ id: "ada" }, "user:ada"],
    [{ id: 7, sub: "auth0|7" }, "user:7"],
    [{ sub: "auth0|7" }, "user:auth0|7"],
    [{ id: null, sub: "auth0|7" }, "user:auth0|7"],
    [{ id: "127.0.0.1" }, "user:127.0.0.1"],
    [{ id: "__proto__" }, "user:__proto__"],
  ] as const) {
    assert.equal((await site.get("/", asUser(user))).status, 200, JSON.stringify(user));
    assert.equal(fixture.backend.asked.at(-1), key);
  }
});

const ownUser = requirement("limitByUser: user returns the id, synchronously or not, or nothing", async (fixture) => {
  const found: Record<string, unknown> = { text: "ada", big: 10n ** 30n, object: { id: 7 }, none: undefined, null: null };
  for (const user of [(name: string) => found[name], async (name: string) => found[name]]) {
    const site = await limited(fixture, "limitByUser", { user: ({ headers }) => user(String(headers["x-who"])) });
    for (const name of Object.keys(found)) await site.get("/", { "X-Who": name });
    const keys = ["user:ada", `user:${10n ** 30n}`, "user:7", "ip:127.0.0.1", "ip:127.0.0.1"];
    assert.deepEqual(fixture.backend.asked.splice(0), keys);
  }
});

const badUser = requirement(
  "limitByUser: a user without a usable id is an error, neither unlimited nor in a shared bucket",
  async (fixture) => {
    const site = await limited(fixture, "limitByUser");
    for (const user of [{}, { id: "" }, { id: {} }, { id: true }, [], true]) {
      assert.equal((await site.get("/", asUser(user))).status, 500, JSON.stringify(user));
    }
    assert.deepEqual(fixture.backend.asked, []);
  },
);

const apiKeys = requirement("limitByApiKey: the digest of the trimmed key is stored, never the key", async (fixture) => {
  const site = await limited(fixture, "limitByApiKey");
  const rows: readonly (readonly [string | string[], string])[] = [
    ["secret-1", digest("secret-1")],
    ["  secret-1\t", digest("secret-1")],
    ["Secret-1", digest("Secret-1")],
    ["secret 1 \t 2", digest("secret 1 \t 2")],
    ["k".repeat(15_000), digest("k".repeat(15_000))],
    [["a", "b"], digest("a, b")],
    ["", "ip:127.0.0.1"],
    ["   ", "ip:127.0.0.1"],
  ];
  for (const [sent, key] of rows) {
    assert.equal((await site.get("/", { "x-API-key": sent })).status, 200);
    assert.equal(fixture.backend.asked.at(-1), key);
  }
  await site.get();
  assert.equal(fixture.backend.asked.at(-1), "ip:127.0.0.1", "without the header");
});

const otherHeader = requirement("limitByApiKey: header names another header", async (fixture) => {
  const site = await limited(fixture, "limitByApiKey", { header: "Authorization" });
  await site.get("/", { "X-API-Key": "ignored", authorization: "Bearer secret-1" });
  assert.deepEqual(fixture.backend.asked, [digest("Bearer secret-1")]);
});

const valid = requirement(
  "limitByApiKey: keys that valid does not confirm are ignored, so made-up keys create no buckets",
  async (fixture) => {
    for (const check of [(key: string) => key === "good", async (key: string) => key === "good"]) {
      const site = await limited(fixture, "limitByApiKey", { rate: 3, valid: check });
      const replies = await inTurn(5, (i) => site.get("/", { "X-API-Key": `typed-${i}` }));
      assert.deepEqual(statuses(replies), [200, 200, 200, 429, 429]);
      assert.equal((await site.get("/", { "X-API-Key": "good" })).status, 200);
      assert.deepEqual(fixture.backend.asked.splice(0), [...replies.map(() => "ip:127.0.0.1"), digest("good")]);
    }
  },
);

const truthy = requirement("limitByApiKey: a `valid` that returns anything but a boolean is an error", async (fixture) => {
  const site = await limited(fixture, "limitByApiKey", { valid: (() => "yes") as never });
  const reply = await site.get("/", { "X-API-Key": "typed" });
  assert.equal(reply.status, 500);
  assert.doesNotMatch(reply.body, /typed/);
  assert.deepEqual(fixture.backend.asked, []);
});

const anonymousRequests = [
  { call: "limitByUser", detail: "This request names no user.", challenge: "Bearer" },
  { call: "limitByApiKey", detail: "This request carries no valid API key.", challenge: "ApiKey" },
] as const;

const addressed = requirement('anonymous: "address" limits anonymous requests by address', async (fixture) => {
  for (const { call } of anonymousRequests) {
    const site = await limited(fixture, call, { anonymous: "address", rate: 1 });
    assert.deepEqual(statuses(await inTurn(2, () => site.get())), [200, 429]);
    assert.deepEqual(fixture.backend.asked.splice(0), ["ip:127.0.0.1", "ip:127.0.0.1"]);
  }
});

const skipped = requirement('anonymous: "skip" lets anonymous requests pass without headers', async (fixture) => {
  for (const { call } of anonymousRequests) {
    const site = await limited(fixture, call, { anonymous: "skip", rate: 1 });
    const replies = await inTurn(3, () => site.get());
    assert.deepEqual(statuses(replies), [200, 200, 200]);
    assert.deepEqual(replies.flatMap(limitFields), []);
  }
  assert.deepEqual(fixture.backend.asked, []);
});

const rejected = requirement('anonymous: "refuse" answers 401 with a challenge, without a bucket or a Retry-After', async (fixture) => {
  for (const { call, detail, challenge } of anonymousRequests) {
    const site = await limited(fixture, call, { anonymous: "refuse" });
    const reply = await site.get();
    assertRefused(reply, { kind: "anonymous", detail });
    assert.equal(field(reply, "www-authenticate"), challenge);
    assert.deepEqual(limitFields(reply), []);
  }
  assert.deepEqual(fixture.backend.asked, []);
});

const apart = requirement("kinds of key never collide: one limiter, one string, four buckets", async (fixture) => {
  const limiter = { rate: 1, name: "shared", backend: fixture.backend } as const;
  const limiters: readonly Limiter[] = [
    { call: "rateLimit", options: { ...limiter, key: () => "10.0.0.1" } },
    { call: "rateLimit", options: { ...limiter, trust: 1 } },
    { call: "limitByUser", options: { ...limiter, user: () => "10.0.0.1" } },
    { call: "limitByApiKey", options: { ...limiter, header: "X-Forwarded-For" } },
  ];
  const site = await fixture.site({ routes: limiters.map((limiter, i) => route(`/${i}`, [limiter])) });
  const ask = (): Promise<number[]> => inTurn(4, (i) => site.get(`/${i}`, { "X-Forwarded-For": "10.0.0.1" })).then(statuses);
  assert.deepEqual(await ask(), [200, 200, 200, 200]);
  assert.deepEqual(await ask(), [429, 429, 429, 429]);
  assert.equal(new Set(fixture.backend.asked).size, 4);
});

const silent = requirement("a refusal reveals no key, address or secret", async (fixture) => {
  const keySecret = "a secret of the test";
  for (const call of ["rateLimit", "limitByUser", "limitByApiKey"] as const) {
    const site = await limited(fixture, call, { rate: 1, keySecret, trust: 1, ...(call === "rateLimit" && { key: () => "key-of-ada" }) });
    const headers = { "X-API-Key": "secret-1", "X-Forwarded-For": "203.0.113.9", ...asUser("ada-the-user") };
    const [, refusal] = await inTurn(2, () => site.get("/", headers));
    assert.equal(refusal?.status, 429);
    const text = JSON.stringify(refusal);
    for (const secret of ["secret-1", "203.0.113.9", "ada-the-user", "key-of-ada", keySecret, ...fixture.backend.asked])
      assert.ok(!text.includes(secret), `${call} reveals ${secret}`);
  }
});

const ownKey = requirement("key: a string, number or bigint, synchronously or not; nothing means the address", async (fixture) => {
  const found: readonly (readonly [unknown, string])[] = [
    ["ada", "key:ada"],
    [0, "key:0"],
    [1.5, "key:1.5"],
    [10n, "key:10"],
    ["\u0000", "key:\u0000"],
    ["{a}b:c", "key:{a}b:c"],
    [undefined, "ip:127.0.0.1"],
    [null, "ip:127.0.0.1"],
  ];
  for (const later of [false, true]) {
    const key = ({ headers }: AnyRequest): never => {
      const value = found[Number(headers["x-row"])]?.[0];
      return (later ? Promise.resolve(value) : value) as never;
    };
    const site = await fixture.site({ limiters: [fixture.limit({ key })] });
    const replies = await inTurn(found.length, (i) => site.get("/", { "X-Row": String(i) }));
    assert.deepEqual(
      statuses(replies),
      found.map(() => 200),
    );
    assert.deepEqual(
      fixture.backend.asked.splice(0),
      found.map(([, key]) => key),
    );
  }
});

const badKey = requirement("key: an object or NaN is an error and never a bucket", async (fixture) => {
  const bad: readonly unknown[] = [{}, [], true, Number.NaN, Number.POSITIVE_INFINITY, Symbol("s"), () => "a"];
  const site = await fixture.site({ limiters: [fixture.limit({ key: ({ headers }) => bad[Number(headers["x-row"])] as never })] });
  const replies = await inTurn(bad.length, (i) => site.get("/", { "X-Row": String(i) }));
  assert.deepEqual(
    statuses(replies),
    bad.map(() => 500),
  );
  assert.deepEqual(fixture.backend.asked, []);
  assert.deepEqual(
    replies.map((reply) => field(reply, "retry-after")),
    bad.map(() => undefined),
  );
});

export const namedClients: readonly HttpRequirement[] = [
  users,
  ownUser,
  badUser,
  apiKeys,
  otherHeader,
  valid,
  truthy,
  addressed,
  skipped,
  rejected,
  apart,
  silent,
  ownKey,
  badKey,
];
