import assert from "node:assert/strict";
import { type Backend, RateLimiter } from "@ratelimit/core";
import type { AnyRequest } from "./app.ts";
import { field, limitFields } from "./client.ts";
import { type HttpRequirement, inTurn, requirement, route, statuses } from "./requirement.ts";
import { asynchronous } from "./table-backend.ts";

const plan = requirement(
  "limiter: a function picks each request's plan, synchronously or not; undefined means no limit",
  async (fixture) => {
    const plans: Readonly<Record<string, RateLimiter>> = {
      free: new RateLimiter({ rate: 1, backend: fixture.backend, name: "free" }),
      pro: new RateLimiter({ rate: 3, backend: fixture.backend, name: "pro" }),
    };
    for (const later of [false, true]) {
      const pick = (name: unknown): RateLimiter | undefined => plans[String(name)];
      const limiter = ({
        headers,
      }: {
        headers: NodeJS.Dict<string | string[]>;
      }): RateLimiter | undefined | Promise<RateLimiter | undefined> =>
        later ? Promise.resolve(pick(headers["x-plan"])) : pick(headers["x-plan"]);
      const site = await fixture.site({ limiters: [fixture.limit({ limiter })] });
      const ask = (plan: string): Promise<number[]> => inTurn(5, () => site.get("/", { "X-Plan": plan })).then(statuses);
      assert.deepEqual(await ask("free"), [200, 429, 429, 429, 429]);
      assert.deepEqual(await ask("pro"), [200, 200, 200, 429, 429]);
      assert.deepEqual(await ask("unlimited"), [200, 200, 200, 200, 200]);
      assert.deepEqual(limitFields(await site.get("/", { "X-Plan": "unlimited" })), []);
      fixture.renew();
    }
  },
);

const badPlan = requirement(
  "limiter: a function that returns neither a limiter nor a policy is an error, not unlimited",
  async (fixture) => {
    const given: readonly unknown[] = [null, {}, "free", 100, { rate: -1 }, { limit: 100 }];
    const site = await fixture.site({ limiters: [fixture.limit({ limiter: ({ headers }) => given[Number(headers["x-row"])] as never })] });
    const replies = await inTurn(given.length, (i) => site.get("/", { "X-Row": String(i) }));
    assert.deepEqual(
      statuses(replies),
      given.map(() => 500),
    );
  },
);

const computed = requirement(
  "limiter: a function may return each request's policy; a key keeps what it owes when its policy changes",
  async (fixture) => {
    const limiter = ({ headers }: AnyRequest): { rate: number; period: string } => ({ rate: Number(headers["x-rate"]), period: "1m" });
    for (const options of [{ limiter }, { limiter: async (req: AnyRequest) => limiter(req) }]) {
      const site = await fixture.site({ limiters: [fixture.limit({ ...options, name: "computed", backend: fixture.backend })] });
      const ask = (rate: number, times: number): Promise<number[]> =>
        inTurn(times, () => site.get("/", { "X-Rate": String(rate) })).then(statuses);
      assert.deepEqual(await ask(2, 3), [200, 200, 429]);
      assert.deepEqual(await ask(4, 1), [429], "a new policy does not forgive the minute that is owed");
      fixture.pass(60_000);
      assert.deepEqual(await ask(4, 5), [200, 200, 200, 200, 429]);
      const [reply] = await inTurn(1, () => site.get("/", { "X-Rate": "-1" }));
      assert.equal(reply?.status, 500);
      fixture.renew();
    }
  },
);

const computedInProcess = requirement("limiter: policies computed per request need no backend and no name", async (fixture) => {
  const limiter = ({ headers }: AnyRequest): { rate: number } => ({ rate: Number(headers["x-rate"]) });
  const site = await fixture.site({ limiters: [{ call: "rateLimit", options: { limiter, key: () => "one" } }] });
  const ask = (): Promise<number[]> => inTurn(3, () => site.get("/", { "X-Rate": "2" })).then(statuses);
  assert.deepEqual(await ask(), [200, 200, 429]);
});

const changed = requirement("limiter: a policy changed while the server runs applies to the next request", async (fixture) => {
  const limiter = new RateLimiter({ rate: 5, backend: fixture.backend });
  const site = await fixture.site({ limiters: [fixture.limit({ limiter })] });
  await site.get();
  limiter.update({ rate: 50 });
  assert.equal(field(await site.get(), "x-ratelimit-limit"), "50");
});

const costs = requirement("cost: a number, or a function of the request, synchronous or not; 0 only peeks", async (fixture) => {
  const rows = [
    [5, "145"],
    [() => 5, "145"],
    [async () => 5, "145"],
    [() => 0, "150"],
    [() => -0, "150"],
  ] as const;
  for (const [cost, left] of rows) {
    const site = await fixture.site({ limiters: [fixture.limit({ cost, headers: "draft-6" })] });
    assert.equal(field(await site.get(), "ratelimit-remaining"), left);
  }
});

const badCosts = requirement("cost: anything but a non-negative safe integer is an error before the backend is asked", async (fixture) => {
  const bad: readonly unknown[] = [-1, Number.NaN, 0.1, "2", 2 ** 53, Number.POSITIVE_INFINITY, null, undefined, 1n, {}, true];
  const site = await fixture.site({ limiters: [fixture.limit({ cost: ({ headers }) => bad[Number(headers["x-row"])] as never })] });
  const replies = await inTurn(bad.length, (i) => site.get("/", { "X-Row": String(i) }));
  assert.deepEqual(
    statuses(replies),
    bad.map(() => 500),
  );
  assert.deepEqual(fixture.backend.asked, []);
});

const exact = requirement("of concurrent requests, exactly as many as fit are admitted", async (fixture) => {
  for (const backend of [fixture.backend, asynchronous(fixture.backend)]) {
    const site = await fixture.site({ limiters: [fixture.limit({ backend, rate: 20, name: "exact" })] });
    const replies = await Promise.all(Array.from({ length: 50 }, () => site.get()));
    assert.equal(replies.filter(({ status }) => status === 200).length, 20);
    assert.equal(replies.filter(({ status }) => status === 429).length, 30);
    fixture.renew();
  }
});

const later = requirement("an asynchronous backend gets the same bytes sent as a synchronous one", async (fixture) => {
  const options = { rate: 2, burst: 2, headers: ["legacy", "draft-8"] } as const;
  const ask = async (backend: Backend): Promise<unknown> => {
    const site = await fixture.site({
      limiters: [fixture.limit({ ...options, backend, name: "same" })],
      routes: [route("/", [fixture.limit({ ...options, backend, name: "inner" })])],
    });
    const replies = await inTurn(4, () => site.get());
    fixture.renew();
    return replies.map((reply) => [reply.status, limitFields(reply), reply.body]);
  };
  assert.deepEqual(await ask(asynchronous(fixture.backend)), await ask(fixture.backend));
});

export const plans: readonly HttpRequirement[] = [plan, badPlan, computed, computedInProcess, changed, costs, badCosts, exact, later];
