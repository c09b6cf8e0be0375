import assert from "node:assert/strict";
import { RateLimiter } from "@ratelimit/core";
import type { AnyRequest } from "./app.ts";
import { field } from "./client.ts";
import { type HttpRequirement, inTurn, requirement, route, statuses } from "./requirement.ts";
import { eventually } from "./waiting.ts";

/** Defects shipped by other libraries that an adapter could have too. Those of backends are in backendSuite and in core's tests. */
export const defects: readonly HttpRequirement[] = [
  requirement("shipped by others: a window of half a second that never ends", async (fixture) => {
    const site = await fixture.site({ limiters: [fixture.limit({ rate: 1, period: 0.5 })] });
    const ask = (): Promise<number[]> => inTurn(2, () => site.get()).then(statuses);
    assert.deepEqual(await ask(), [200, 429]);
    fixture.pass(500);
    assert.deepEqual(await ask(), [200, 429]);
  }),
  requirement("shipped by others: a window of 30 days that admits everything", async (fixture) => {
    const site = await fixture.site({ limiters: [fixture.limit({ rate: 2, period: "30d", headers: "draft-8" })] });
    const replies = await inTurn(4, () => site.get());
    assert.deepEqual(statuses(replies), [200, 200, 429, 429]);
    assert.equal(field(replies[3], "retry-after"), "1296000");
  }),
  requirement("shipped by others: a cost above capacity that locks the key", async (fixture) => {
    const cost = ({ headers }: AnyRequest): number => Number(headers["x-cost"] ?? 1);
    const site = await fixture.site({ limiters: [fixture.limit({ rate: 5, cost })] });
    const ask = (cost: number): Promise<number> => site.get("/", { "X-Cost": String(cost) }).then(({ status }) => status);
    assert.deepEqual([await ask(6), await ask(6), await ask(5)], [403, 403, 200]);
  }),
  requirement("shipped by others: a refused request that is charged to the other limits of its policy", async (fixture) => {
    const limits = [
      { name: "small", rate: 1, period: 1 },
      { name: "large", rate: 3, period: 3600 },
    ] as const;
    const site = await fixture.site({ limiters: [fixture.limit({ limits })] });
    for (let i = 0; i < 3; i++, fixture.pass(1000))
      assert.deepEqual(statuses(await inTurn(5, () => site.get())), [200, 429, 429, 429, 429]);
    assert.equal((await site.get()).status, 429, "three requests were admitted, so three must have been counted");
  }),
  requirement("shipped by others: a second limiter on one route that is ignored", async (fixture) => {
    const site = await fixture.site({ routes: [route("/", [fixture.limit({ rate: 100 }), fixture.limit({ rate: 2 })])] });
    assert.deepEqual(statuses(await inTurn(3, () => site.get())), [200, 200, 429]);
  }),
  requirement("shipped by others: grouped routes that do not share, and routes that share by accident", async (fixture) => {
    const limiter = new RateLimiter({ rate: 2, backend: fixture.backend });
    const routes = [
      ...["/a", "/b"].map((path) => route(path, [fixture.limit({ limiter })])),
      ...["/c", "/d"].map((path) => route(path, [fixture.limit({ rate: 2, burst: 2 })])),
    ];
    const site = await fixture.site({ routes });
    const paths = ["/a", "/b", "/a", "/b", "/c", "/d", "/c", "/d"];
    assert.deepEqual(statuses(await inTurn(8, (i) => site.get(paths[i]))), [200, 200, 429, 429, 200, 200, 200, 200]);
  }),
  requirement("shipped by others: a refund that exceeds capacity", async (fixture) => {
    const limiter = new RateLimiter({ rate: 3, backend: fixture.backend });
    let asked = 0;
    const site = await fixture.site({ limiters: [fixture.limit({ limiter, refund: () => ++asked * 100 })] });
    await inTurn(2, () => site.get());
    await eventually("both requests have settled", async () => asked === 2 && (await limiter.peek("ip:127.0.0.1")).remaining === 3);
    await limiter.check("ip:127.0.0.1", { cost: 3 });
    assert.equal((await limiter.check("ip:127.0.0.1")).allowed, false);
  }),
  requirement("shipped by others: two requests in one tick at a limit of 1 that are both refused, or both admitted", async (fixture) => {
    const site = await fixture.site({ limiters: [fixture.limit({ rate: 1 })] });
    const replies = await Promise.all([site.get(), site.get()]);
    assert.deepEqual(statuses(replies).sort(), [200, 429]);
  }),
  requirement("shipped by others: a refusal that says Retry-After: 0 forever", async (fixture) => {
    const site = await fixture.site({ limiters: [fixture.limit({ rate: 1000, period: 1, burst: 1 })] });
    const replies = await inTurn(3, () => site.get());
    assert.deepEqual(
      replies.map((reply) => field(reply, "retry-after")),
      [undefined, "1", "1"],
    );
    fixture.pass(1);
    assert.equal((await site.get()).status, 200);
  }),
];
