import assert from "node:assert/strict";
import { RateLimitError, RateLimiter } from "@ratelimit/core";
import type { AnyRequest, Limiter, LimiterOptions } from "./app.ts";
import { field } from "./client.ts";
import { type Fixture, type HttpRequirement, inTurn, requirement, route, type Site, statuses } from "./requirement.ts";
import { answering } from "./table-backend.ts";
import { gate } from "./waiting.ts";

type Callback = (req: AnyRequest) => never;

/** The functions that a user can pass to a limiter, each with the options it needs. Each calls `misbehave` first. */
const callbacks: readonly {
  readonly name: string;
  readonly call: Limiter["call"];
  readonly with: (misbehave: Callback, fixture: Fixture) => LimiterOptions;
}[] = [
  { name: "key", call: "rateLimit", with: (key) => ({ key }) },
  { name: "cost", call: "rateLimit", with: (cost) => ({ cost: (req) => cost(req) ?? 1 }) },
  { name: "skip", call: "rateLimit", with: (skip) => ({ skip: (req) => skip(req) ?? false }) },
  {
    name: "limiter",
    call: "rateLimit",
    with: (pick, { backend }) => {
      const limiter = new RateLimiter({ rate: 100, backend });
      return { limiter: (req) => pick(req) ?? limiter };
    },
  },
  { name: "user", call: "limitByUser", with: (user) => ({ user }) },
  { name: "valid", call: "limitByApiKey", with: (valid) => ({ valid: (_, req) => valid(req) ?? true }) },
];

interface Misbehaving {
  readonly site: Site;
  /** Returns how often the handler ran. */
  readonly calls: () => number;
}

async function misbehaving(
  fixture: Fixture,
  { call, with: optionsWith }: (typeof callbacks)[number],
  callback: Callback,
): Promise<Misbehaving> {
  let calls = 0;
  const handler = (): { status: number; body: string } => ({ status: 200, body: String(++calls) });
  const limiter = { ...fixture.limit(optionsWith(callback, fixture)), call };
  return { site: await fixture.site({ routes: [route("/", [limiter], handler)] }), calls: () => calls };
}

/** Values to throw. Some frameworks treat falsy values and some of these strings as "no error". */
const thrown: readonly unknown[] = [
  new Error("of the callback"),
  undefined,
  null,
  0,
  "",
  false,
  "route",
  "router",
  "text",
  {},
  { status: 200 },
];

const failing = callbacks.map((callback) =>
  requirement(`${callback.name}: whatever it throws or rejects with, the request fails: neither unlimited nor a crash`, async (fixture) => {
    const ways: readonly ((value: unknown) => never)[] = [
      (value) => {
        throw value;
      },
      (value) => Promise.reject(value) as never,
    ];
    for (const way of ways) {
      const { site, calls } = await misbehaving(fixture, callback, ({ headers }) =>
        headers["x-row"] === undefined ? (undefined as never) : way(thrown[Number(headers["x-row"])]),
      );
      const replies = await inTurn(thrown.length, (i) => site.get("/", { "X-API-Key": "good", "X-Row": String(i) }));
      assert.deepEqual(
        statuses(replies),
        thrown.map(() => 500),
      );
      assert.equal(calls(), 0, "the handler must not run");
      assert.equal((await site.get("/", { "X-API-Key": "good" })).status, 200, "the next request is served");
    }
    assert.equal(fixture.backend.asked.length, ways.length, "a failed request costs nothing");
  }),
);

const ownStatus = requirement("a callback's error that has a status is answered by the framework with that status", async (fixture) => {
  for (const callback of callbacks) {
    const { site } = await misbehaving(fixture, callback, () => {
      throw Object.assign(new Error("not yours"), { status: 403, statusCode: 403 });
    });
    assert.equal((await site.get("/", { "X-API-Key": "good" })).status, 403, callback.name);
  }
});

const hanging = callbacks.map((callback) =>
  requirement(`${callback.name}: a call that never settles holds up only its own request`, async (fixture) => {
    const { entered, enter } = gate();
    const { site, calls } = await misbehaving(fixture, callback, ({ headers }) => {
      if (headers["x-hang"] === undefined) return undefined as never;
      enter();
      return new Promise(() => {}) as never;
    });
    const held = site.open({ headers: { "X-API-Key": "good", "X-Hang": "1" } });
    await entered;
    assert.deepEqual(statuses(await inTurn(3, () => site.get("/", { "X-API-Key": "good" }))), [200, 200, 200]);
    assert.equal(calls(), 3);
    held.abort();
    await assert.rejects(held.reply);
  }),
);

const failingPage = requirement("onLimited: throwing or rejecting is an error, neither unlimited nor a crash", async (fixture) => {
  for (const value of thrown)
    for (const onLimited of [
      () => {
        throw value;
      },
      () => Promise.reject(value),
    ]) {
      let calls = 0;
      const handler = (): { status: number; body: string } => ({ status: 200, body: String(++calls) });
      const site = await fixture.site({ limiters: [{ ...fixture.limit({ rate: 1 }), onLimited }], routes: [route("/", [], handler)] });
      const replies = await inTurn(3, () => site.get());
      assert.ok(
        replies.slice(1).every(({ status }) => status === 500 || status === 429),
        `${String(value)}: ${statuses(replies)}`,
      );
      assert.equal(calls, 1);
    }
});

const hangingPage = requirement("onLimited: a call that never settles holds up only its own request", async (fixture) => {
  const { entered, enter } = gate();
  const onLimited = (): Promise<never> => {
    enter();
    return new Promise(() => {});
  };
  const site = await fixture.site({ routes: [route("/", [{ ...fixture.limit({ rate: 1 }), onLimited }]), route("/free")] });
  await site.get();
  const held = site.open();
  await entered;
  assert.equal((await site.get("/free")).status, 200);
  held.abort();
  await assert.rejects(held.reply);
});

const failingBackend = requirement(
  "a backend failure is answered by the framework: with 503 if the error says so, never unlimited",
  async (fixture) => {
    const failures = [[new RateLimitError("BACKEND", "The backend is out"), 503], ...thrown.map((value) => [value, 500] as const)] as const;
    for (const [error, status] of failures)
      for (const take of [
        () => {
          throw error;
        },
        () => Promise.reject(error),
      ]) {
        const site = await fixture.site({ limiters: [fixture.limit({ backend: answering(take), name: "failing" })] });
        const replies = await inTurn(2, () => site.get());
        assert.deepEqual(statuses(replies), [status, status], String(error));
        assert.equal(field(replies[0], "x-ratelimit-limit"), undefined);
      }
  },
);

export const callbackFailures: readonly HttpRequirement[] = [...failing, ownStatus, ...hanging, failingPage, hangingPage, failingBackend];
