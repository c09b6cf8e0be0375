import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { type DecisionMessage, RateLimiter } from "@ratelimit/core";
import type { Handler } from "./app.ts";
import { type HttpRequirement, inTurn, requirement, route, statuses } from "./bench.ts";
import { field, told } from "./client.ts";
import { assertTold } from "./expect.ts";

const decided: Handler = (_, rateLimit) => ({
  status: 200,
  body: `${rateLimit?.allowed} ${rateLimit?.remaining} ${rateLimit?.retryAfter}`,
});

const neverRefuses = requirement("shadow: decides and reports, never refuses, sends no headers", async (bench) => {
  const heard: boolean[] = [];
  const listener = (message: unknown): void => void heard.push((message as DecisionMessage).result.allowed);
  subscribe("ratelimit:decision", listener);
  try {
    const options = { rate: 2, shadow: true, headers: ["legacy", "draft-8"], exposeHeaders: true } as const;
    const site = await bench.site({ limiters: [bench.limit(options)], routes: [route("/", [], decided)] });
    const replies = await inTurn(3, () => site.get());
    assert.deepEqual(
      replies.map(({ status, body }) => `${status} ${body}`),
      ["200 true 1 0", "200 true 0 0", "200 false 0 30"],
    );
    assert.deepEqual(replies.flatMap(told), []);
    assert.deepEqual(
      replies.map((reply) => field(reply, "access-control-expose-headers") ?? field(reply, "cache-control")),
      Array(3).fill(undefined),
    );
    assert.deepEqual(heard, [true, true, false], "on the diagnostics channel");
  } finally {
    unsubscribe("ratelimit:decision", listener);
  }
});

const noPage = requirement("shadow: onLimited is not called", async (bench) => {
  let asked = 0;
  const limiter = { ...bench.limit({ rate: 1, shadow: true }), onLimited: () => ({ status: 418, body: String(++asked) }) };
  const site = await bench.site({ limiters: [limiter] });
  assert.deepEqual(statuses(await inTurn(3, () => site.get())), [200, 200, 200]);
  assert.equal(asked, 0);
});

const besideOthers = requirement("shadow: next to another limiter, only the other sends headers and refuses", async (bench) => {
  const [shadow, real] = [
    bench.limit({ rate: 1, name: "shadow", shadow: true }),
    bench.limit({ rate: 2, name: "real", headers: "draft-8" }),
  ];
  for (const limiters of [
    [shadow, real],
    [real, shadow],
  ]) {
    const site = await bench.site({ limiters });
    const replies = await inTurn(3, () => site.get());
    assert.deepEqual(statuses(replies), [200, 200, 429]);
    assertTold(replies[0], ['RateLimit-Policy: "real";q=2;w=60', 'RateLimit: "real";r=1;t=30']);
    assertTold(replies[2], ['RateLimit-Policy: "real";q=2;w=60', 'RateLimit: "real";r=0;t=30', "Retry-After: 30"]);
    bench.renew();
  }
});

const madeReal = requirement(
  "shadow: a limiter used in shadow and then for real charges once, sends headers and refuses",
  async (bench) => {
    const limiter = new RateLimiter({ rate: 2, backend: bench.backend });
    const [shadow, real] = [bench.limit({ limiter, shadow: true }), bench.limit({ limiter })];
    const site = await bench.site({ limiters: [shadow], routes: [route("/", [real])] });
    const replies = await inTurn(3, () => site.get());
    assert.deepEqual(statuses(replies), [200, 200, 429]);
    assertTold(replies[0], ["X-RateLimit-Limit: 2", "X-RateLimit-Remaining: 1", "X-RateLimit-Reset: 1795521630"]);
    assertTold(replies[2], ["X-RateLimit-Limit: 2", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1795521660", "Retry-After: 30"]);
  },
);

const outage = requirement("shadow: an outage in closed mode does not refuse", async (bench) => {
  const backend = {
    take: () => ({ allowed: false, used: 0, source: "closed" as const }),
    adjust: () => ({ allowed: true, used: 0 }),
    block() {},
    reset() {},
    close() {},
  };
  const site = await bench.site({ limiters: [bench.limit({ shadow: true, backend, name: "out" })] });
  const reply = await site.get();
  assert.equal(reply.status, 200);
  assert.deepEqual(told(reply), []);
});

export const shadow: readonly HttpRequirement[] = [neverRefuses, noPage, besideOthers, madeReal, outage];
