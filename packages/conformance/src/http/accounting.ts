import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { RateLimiter } from "@ratelimit/core";
import type { AnyRequest, Handler } from "./app.ts";
import { field } from "./client.ts";
import { type Fixture, type HttpRequirement, inTurn, requirement, route, type Site, statuses } from "./requirement.ts";
import { asynchronous } from "./table-backend.ts";
import { eventually, gate } from "./waiting.ts";

/** Answers with the status requested in `X-Status`. */
const obedient: Handler = ({ headers }) => ({ status: Number(headers["x-status"] ?? 200), body: "done" });

function wanting(site: Site, ...wanted: readonly number[]): Promise<number[]> {
  return inTurn(wanted.length, (i) => site.get("/", { "X-Status": String(wanted[i]) })).then(statuses);
}

function limiterOf(fixture: Fixture, rate: number): { limiter: RateLimiter; left: () => Promise<number> } {
  const limiter = new RateLimiter({ rate, backend: asynchronous(fixture.backend) });
  return { limiter, left: async () => (await limiter.peek("ip:127.0.0.1")).remaining };
}

const failuresOnly = requirement("refund: a login limit can count only failures", async (fixture) => {
  const refund = (_: unknown, status: number): boolean => status < 400;
  const { limiter, left } = limiterOf(fixture, 3);
  const site = await fixture.site({ limiters: [fixture.limit({ limiter, refund })], routes: [route("/", [], obedient)] });
  for (let i = 0; i < 6; i++) {
    assert.deepEqual(await wanting(site, 200), [200]);
    await eventually("the token is back", async () => (await left()) === 3);
  }
  assert.deepEqual(await wanting(site, 401, 401, 401, 401, 200), [401, 401, 401, 429, 429]);
});

const askedOnce = requirement("refund: called once for each admitted request, with the status that was sent", async (fixture) => {
  const asked: string[] = [];
  const refund = ({ url }: { url: string }, status: number): boolean => asked.push(`${url} ${status}`) < 0;
  const { limiter } = limiterOf(fixture, 5);
  const limits = [fixture.limit({ limiter, refund }), fixture.limit({ limiter, refund })];
  const failing = route("/throws", [], () => Promise.reject(new Error("of the handler")));
  const site = await fixture.site({ limiters: limits, routes: [route("/", limits, obedient), failing] });
  await wanting(site, 200, 201, 403);
  await site.get("/none");
  await site.get("/throws");
  await wanting(site, 200, 200);
  await eventually("every request has settled", () => asked.length >= 5);
  assert.deepEqual(asked.sort(), ["/ 200", "/ 201", "/ 403", "/none 404", "/throws 500"]);
});

const howMuch = requirement(
  "refund: true returns the request's cost and a number returns that many tokens, up to a full bucket",
  async (fixture) => {
    const rows: readonly (readonly [unknown, number])[] = [
      [true, 10],
      [Promise.resolve(true), 10],
      [false, 6],
      [0, 6],
      [1, 7],
      [3, 9],
      [Promise.resolve(2), 8],
      [1000, 10],
    ];
    for (const [given, expected] of rows) {
      const { limiter, left } = limiterOf(fixture, 10);
      let asked = 0;
      const refund = (): never => {
        asked++;
        return given as never;
      };
      const site = await fixture.site({ limiters: [fixture.limit({ limiter, refund, cost: 4 })] });
      await site.get();
      await eventually("refund was called", () => asked === 1);
      await eventually(`${expected} left`, async () => (await left()) === expected);
      await limiter.reset("ip:127.0.0.1");
      await limiter.close();
    }
  },
);

const badRefund = requirement("refund: throwing, rejecting or returning nonsense refunds nothing and breaks nothing", async (fixture) => {
  const { limiter, left } = limiterOf(fixture, 100);
  const nothing: unknown = undefined;
  const nonsense: readonly (() => unknown)[] = [
    () => {
      throw new Error("of refund");
    },
    () => Promise.reject(new Error("of refund")),
    () => Promise.reject(nothing),
    ...[-1, Number.NaN, 0.5, "all", undefined, null, {}].map((value) => () => value),
  ];
  let asked = 0;
  const refund = ({ headers }: AnyRequest): never => {
    asked++;
    return nonsense[Number(headers["x-row"])]?.() as never;
  };
  const site = await fixture.site({ limiters: [fixture.limit({ limiter, refund })] });
  const replies = await inTurn(nonsense.length, (i) => site.get("/", { "X-Row": String(i) }));
  assert.deepEqual(
    statuses(replies),
    nonsense.map(() => 200),
  );
  await eventually("refund was called for every request", () => asked === nonsense.length);
  await gate().soon;
  assert.equal(await left(), 100 - nonsense.length);
});

const gaveUp = requirement("refund: with refundAborted, a client that does not wait for its response settles as 499", async (fixture) => {
  const asked: number[] = [];
  const { entered, enter, opened, open } = gate();
  const waiting: Handler = async () => {
    enter();
    await opened;
    return { status: 200, body: "too late" };
  };
  const refund = (_: unknown, status: number): boolean => asked.push(status) > 0;
  const { limiter, left } = limiterOf(fixture, 5);
  const site = await fixture.site({
    limiters: [fixture.limit({ limiter, refund, refundAborted: true })],
    routes: [route("/", [], waiting)],
  });
  const client = site.open();
  await entered;
  client.abort();
  await eventually("the request has settled", () => asked.length > 0);
  open();
  await eventually("the token is back", async () => (await left()) === 5);
  assert.deepEqual(asked, [499]);
});

const gaveUpEarly = requirement(
  "refund: with refundAborted, a client that gives up while its limit is being checked settles as 499 too",
  async (fixture) => {
    const asked: number[] = [];
    const { entered, enter, opened, open } = gate();
    const backend = asynchronous(fixture.backend, () => {
      enter();
      return opened;
    });
    const limiter = new RateLimiter({ rate: 5, backend });
    const refund = (_: unknown, status: number): boolean => asked.push(status) > 0;
    const site = await fixture.site({ limiters: [fixture.limit({ limiter, refund, refundAborted: true })] });
    const client = site.open();
    await entered;
    client.abort();
    await assert.rejects(client.reply);
    await gate().soon;
    open();
    await eventually("the request has settled", () => asked.length > 0);
    await eventually("the token is back", async () => (await limiter.peek("ip:127.0.0.1")).remaining === 5);
    assert.deepEqual(asked, [499]);
  },
);

const noReward = requirement("refund: a client that hangs up earns no refund unless refundAborted asks for it", async (fixture) => {
  const asked: number[] = [];
  const { entered, enter, opened, open } = gate();
  const waiting: Handler = async () => {
    enter();
    await opened;
    return { status: 200, body: "too late" };
  };
  const refund = (_: unknown, status: number): boolean => asked.push(status) > 0 && status >= 400;
  const { limiter, left } = limiterOf(fixture, 5);
  let closed = 0;
  const early = (res: ServerResponse): void => void res.once("close", () => closed++);
  const limiters = [fixture.limit({ limiter, refund })];
  const site = await fixture.site({ early, limiters, routes: [route("/", [], waiting), route("/other")] });
  const client = site.open();
  await entered;
  client.abort();
  await assert.rejects(client.reply);
  await eventually("the server has noticed", () => closed === 1);
  open();
  await site.get("/other");
  await eventually("the second request has settled", () => asked.length > 0);
  assert.deepEqual(asked, [200], "only the response that was sent settles");
  assert.equal(await left(), 3);
});

/** More than the socket buffers of a loopback connection hold, so that the server is still writing when its client hangs up. */
const large = "x".repeat(16 << 20);

const cutShort = requirement("refund: with refundAborted, a response that its client cuts short settles as 499", async (fixture) => {
  const asked: number[] = [];
  const refund = (_: unknown, status: number): boolean => asked.push(status) > 0;
  const { limiter, left } = limiterOf(fixture, 5);
  const handler: Handler = () => ({ status: 200, body: large });
  const site = await fixture.site({
    limiters: [fixture.limit({ limiter, refund, refundAborted: true })],
    routes: [route("/", [], handler)],
  });
  const client = site.open();
  await client.begun;
  client.abort();
  await eventually("the request has settled", () => asked.length > 0);
  await eventually("the token is back", async () => (await left()) === 5);
  assert.deepEqual(asked, [499]);
});

/** Charges `X-Tokens` after doing the work. */
const charging: Handler = async ({ headers }, rateLimit) => {
  await gate().soon;
  const { remaining, uncharged } = (await rateLimit?.charge(Number(headers["x-tokens"]))) ?? {};
  return { status: 200, body: { remaining, uncharged } };
};

const afterwards = requirement("charge: a cost known only afterwards is charged to the bucket of the request", async (fixture) => {
  const site = await fixture.site({ limiters: [fixture.limit({ rate: 100 })], routes: [route("/", [], charging)] });
  const charge = async (tokens: number): Promise<unknown> => JSON.parse((await site.get("/", { "X-Tokens": String(tokens) })).body);
  assert.deepEqual(await charge(9), { remaining: 90, uncharged: 0 });
  assert.deepEqual(await charge(0), { remaining: 89, uncharged: 0 });
  assert.deepEqual(await charge(500), { remaining: 0, uncharged: 312 }, "100 tokens of debt, and the rest is reported as uncharged");
  assert.equal(field(await site.get(), "retry-after"), "61");
});

const concurrently = requirement("charge and refund: exact for concurrent requests", async (fixture) => {
  const { limiter, left } = limiterOf(fixture, 1000);
  const handler: Handler = async ({ headers }, rateLimit) => {
    await Promise.all([rateLimit?.charge(Number(headers["x-tokens"])), rateLimit?.refund(2)]);
    return { status: 200, body: "done" };
  };
  const site = await fixture.site({ limiters: [fixture.limit({ limiter })], routes: [route("/", [], handler)] });
  await limiter.charge("ip:127.0.0.1", 100);
  await Promise.all(Array.from({ length: 40 }, (_, i) => site.get("/", { "X-Tokens": String(i) })));
  assert.equal(await left(), 900 - 40 + 80 - (39 * 40) / 2);
});

const chargedAnyway = requirement("charge: exact even after the client has gone", async (fixture) => {
  const { entered, enter, opened, open } = gate();
  const handler: Handler = async (_, rateLimit) => {
    enter();
    await opened;
    await rateLimit?.charge(7);
    return { status: 200, body: "too late" };
  };
  const { limiter, left } = limiterOf(fixture, 100);
  const site = await fixture.site({ limiters: [fixture.limit({ limiter })], routes: [route("/", [], handler)] });
  const client = site.open();
  await entered;
  client.abort();
  await assert.rejects(client.reply);
  open();
  await eventually("the charge has been made", async () => (await left()) === 100 - 1 - 7);
});

const eachItsOwn = requirement("charge and refund: each decision of a request has its own bucket", async (fixture) => {
  const handler: Handler = async (_, rateLimit) => {
    const [outer, inner] = rateLimit?.all ?? [];
    return {
      status: 200,
      body: [(await outer?.charge(10))?.remaining, (await inner?.refund())?.remaining, (await inner?.charge(3))?.remaining],
    };
  };
  const site = await fixture.site({
    limiters: [fixture.limit({ rate: 100 })],
    routes: [route("/", [fixture.limit({ rate: 50 })], handler)],
  });
  assert.equal((await site.get()).body, "[89,50,47]");
});

export const accounting: readonly HttpRequirement[] = [
  failuresOnly,
  askedOnce,
  howMuch,
  badRefund,
  gaveUp,
  gaveUpEarly,
  noReward,
  cutShort,
  afterwards,
  concurrently,
  chargedAnyway,
  eachItsOwn,
];
