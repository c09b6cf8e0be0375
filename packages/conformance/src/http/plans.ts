import assert from "node:assert/strict";
import { type Backend, RateLimiter } from "@ratelimit/core";
import { type HttpRequirement, inTurn, requirement, route, statuses } from "./bench.ts";
import { field, told } from "./client.ts";
import { asynchronous } from "./table-backend.ts";

const plan = requirement("limiter: a function picks each request's plan, synchronously or not; undefined means no limit", async (bench) => {
  const plans: Readonly<Record<string, RateLimiter>> = {
    free: new RateLimiter({ rate: 1, backend: bench.backend, name: "free" }),
    pro: new RateLimiter({ rate: 3, backend: bench.backend, name: "pro" }),
  };
  for (const later of [false, true]) {
    const pick = (name: unknown): RateLimiter | undefined => plans[String(name)];
    const limiter = ({
      headers,
    }: {
      headers: NodeJS.Dict<string | string[]>;
    }): RateLimiter | undefined | Promise<RateLimiter | undefined> =>
      later ? Promise.resolve(pick(headers["x-plan"])) : pick(headers["x-plan"]);
    const site = await bench.site({ limiters: [bench.limit({ limiter })] });
    const ask = (plan: string): Promise<number[]> => inTurn(5, () => site.get("/", { "X-Plan": plan })).then(statuses);
    assert.deepEqual(await ask("free"), [200, 429, 429, 429, 429]);
    assert.deepEqual(await ask("pro"), [200, 200, 200, 429, 429]);
    assert.deepEqual(await ask("unlimited"), [200, 200, 200, 200, 200]);
    assert.deepEqual(told(await site.get("/", { "X-Plan": "unlimited" })), []);
    bench.renew();
  }
});

const badPlan = requirement("limiter: a function that returns anything but a limiter is an error, not unlimited", async (bench) => {
  const given: readonly unknown[] = [null, {}, "free", 100, { rate: 100 }];
  const site = await bench.site({ limiters: [bench.limit({ limiter: ({ headers }) => given[Number(headers["x-row"])] as never })] });
  const replies = await inTurn(given.length, (i) => site.get("/", { "X-Row": String(i) }));
  assert.deepEqual(
    statuses(replies),
    given.map(() => 500),
  );
});

const changed = requirement("limiter: a policy changed while the server runs applies to the next request", async (bench) => {
  const limiter = new RateLimiter({ rate: 5, backend: bench.backend });
  const site = await bench.site({ limiters: [bench.limit({ limiter })] });
  await site.get();
  limiter.update({ rate: 50 });
  assert.equal(field(await site.get(), "x-ratelimit-limit"), "50");
});

const costs = requirement("cost: a number, or a function of the request, synchronous or not; 0 only peeks", async (bench) => {
  const rows = [
    [5, "145"],
    [() => 5, "145"],
    [async () => 5, "145"],
    [() => 0, "150"],
    [() => -0, "150"],
  ] as const;
  for (const [cost, left] of rows) {
    const site = await bench.site({ limiters: [bench.limit({ cost, headers: "draft-6" })] });
    assert.equal(field(await site.get(), "ratelimit-remaining"), left);
  }
});

const badCosts = requirement("cost: anything but a non-negative safe integer is an error before the backend is asked", async (bench) => {
  const bad: readonly unknown[] = [-1, Number.NaN, 0.1, "2", 2 ** 53, Number.POSITIVE_INFINITY, null, undefined, 1n, {}, true];
  const site = await bench.site({ limiters: [bench.limit({ cost: ({ headers }) => bad[Number(headers["x-row"])] as never })] });
  const replies = await inTurn(bad.length, (i) => site.get("/", { "X-Row": String(i) }));
  assert.deepEqual(
    statuses(replies),
    bad.map(() => 500),
  );
  assert.deepEqual(bench.backend.asked, []);
});

const exact = requirement("of concurrent requests, exactly as many as fit are admitted", async (bench) => {
  for (const backend of [bench.backend, asynchronous(bench.backend)]) {
    const site = await bench.site({ limiters: [bench.limit({ backend, rate: 20, name: "exact" })] });
    const replies = await Promise.all(Array.from({ length: 50 }, () => site.get()));
    assert.equal(replies.filter(({ status }) => status === 200).length, 20);
    assert.equal(replies.filter(({ status }) => status === 429).length, 30);
    bench.renew();
  }
});

const later = requirement("an asynchronous backend gets the same bytes sent as a synchronous one", async (bench) => {
  const options = { rate: 2, burst: 2, headers: ["legacy", "draft-8"] } as const;
  const ask = async (backend: Backend): Promise<unknown> => {
    const site = await bench.site({
      limiters: [bench.limit({ ...options, backend, name: "same" })],
      routes: [route("/", [bench.limit({ ...options, backend, name: "inner" })])],
    });
    const replies = await inTurn(4, () => site.get());
    bench.renew();
    return replies.map((reply) => [reply.status, told(reply), reply.body]);
  };
  assert.deepEqual(await ask(asynchronous(bench.backend)), await ask(bench.backend));
});

export const plans: readonly HttpRequirement[] = [plan, badPlan, changed, costs, badCosts, exact, later];
