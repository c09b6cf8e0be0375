import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { type DecisionMessage, RateLimiter } from "@ratelimit/core";
import type { Handler } from "./app.ts";
import { field, limitFields } from "./client.ts";
import { assertLimitFields } from "./expect.ts";
import { type HttpRequirement, inTurn, requirement, route, statuses } from "./requirement.ts";

const decided: Handler = (_, rateLimit) => ({
  status: 200,
  body: `${rateLimit?.allowed} ${rateLimit?.remaining} ${rateLimit?.retryAfter}`,
});

const neverRefuses = requirement("shadow: decides and reports, never refuses, sends no headers", async (fixture) => {
  const heard: boolean[] = [];
  const listener = (message: unknown): void => void heard.push((message as DecisionMessage).result.allowed);
  subscribe("ratelimit:decision", listener);
  try {
    const options = { rate: 2, shadow: true, headers: ["legacy", "draft-8"], exposeHeaders: true } as const;
    const site = await fixture.site({ limiters: [fixture.limit(options)], routes: [route("/", [], decided)] });
    const replies = await inTurn(3, () => site.get());
    assert.deepEqual(
      replies.map(({ status, body }) => `${status} ${body}`),
      ["200 true 1 0", "200 true 0 0", "200 false 0 30"],
    );
    assert.deepEqual(replies.flatMap(limitFields), []);
    assert.deepEqual(
      replies.map((reply) => field(reply, "access-control-expose-headers") ?? field(reply, "cache-control")),
      Array(3).fill(undefined),
    );
    assert.deepEqual(heard, [true, true, false], "on the diagnostics channel");
  } finally {
    unsubscribe("ratelimit:decision", listener);
  }
});

const noPage = requirement("shadow: onLimited is not called", async (fixture) => {
  let asked = 0;
  const limiter = { ...fixture.limit({ rate: 1, shadow: true }), onLimited: () => ({ status: 418, body: String(++asked) }) };
  const site = await fixture.site({ limiters: [limiter] });
  assert.deepEqual(statuses(await inTurn(3, () => site.get())), [200, 200, 200]);
  assert.equal(asked, 0);
});

const besideOthers = requirement("shadow: next to another limiter, only the other sends headers and refuses", async (fixture) => {
  const [shadow, real] = [
    fixture.limit({ rate: 1, name: "shadow", shadow: true }),
    fixture.limit({ rate: 2, name: "real", headers: "draft-8" }),
  ];
  for (const limiters of [
    [shadow, real],
    [real, shadow],
  ]) {
    const site = await fixture.site({ limiters });
    const replies = await inTurn(3, () => site.get());
    assert.deepEqual(statuses(replies), [200, 200, 429]);
    assertLimitFields(replies[0], ['RateLimit-Policy: "real";q=2;w=60', 'RateLimit: "real";r=1;t=30']);
    assertLimitFields(replies[2], ['RateLimit-Policy: "real";q=2;w=60', 'RateLimit: "real";r=0;t=30', "Retry-After: 30"]);
    fixture.renew();
  }
});

const madeReal = requirement(
  "shadow: a limiter used in shadow and then for real charges once, sends headers and refuses",
  async (fixture) => {
    const limiter = new RateLimiter({ rate: 2, backend: fixture.backend });
    const [shadow, real] = [fixture.limit({ limiter, shadow: true }), fixture.limit({ limiter, shadow: false })];
    const site = await fixture.site({ limiters: [shadow], routes: [route("/", [real])] });
    const replies = await inTurn(3, () => site.get());
    assert.deepEqual(statuses(replies), [200, 200, 429]);
    assertLimitFields(replies[0], ["X-RateLimit-Limit: 2", "X-RateLimit-Remaining: 1", "X-RateLimit-Reset: 1795521630"]);
    assertLimitFields(replies[2], ["X-RateLimit-Limit: 2", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1795521660", "Retry-After: 30"]);
  },
);

const direct = requirement("shadow: RateLimitExceeded behind it is answered as without it, with legacy headers", async (fixture) => {
  const exports = new RateLimiter({ name: "export", rate: 1, backend: fixture.backend });
  const handler: Handler = async () => {
    await exports.enforce("job");
    return { status: 200, body: "done" };
  };
  const shadow = fixture.limit({ shadow: true, headers: "draft-8" });
  const site = await fixture.site({ limiters: [shadow], routes: [route("/", [], handler)] });
  const [, refused] = await inTurn(2, () => site.get());
  assertLimitFields(refused, ["X-RateLimit-Limit: 1", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1795521660", "Retry-After: 60"]);
});

const outage = requirement("shadow: an outage in closed mode does not refuse", async (fixture) => {
  const backend = {
    take: () => ({ allowed: false, used: 0, source: "closed" as const }),
    adjust: () => ({ allowed: true, used: 0 }),
    block() {},
    reset() {},
    close() {},
  };
  const site = await fixture.site({ limiters: [fixture.limit({ shadow: true, backend, name: "out" })] });
  const reply = await site.get();
  assert.equal(reply.status, 200);
  assert.deepEqual(limitFields(reply), []);
});

export const shadow: readonly HttpRequirement[] = [neverRefuses, noPage, besideOthers, madeReal, direct, outage];
