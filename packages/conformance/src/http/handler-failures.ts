import assert from "node:assert/strict";
import { RateLimitExceeded, RateLimiter } from "@ratelimit/core";
import type { Handler } from "./app.ts";
import { type HttpRequirement, inTurn, requirement, route, statuses } from "./bench.ts";
import { assertTold } from "./expect.ts";

const failing: readonly (readonly [what: string, handler: Handler])[] = [
  [
    "throws",
    () => {
      throw new Error("of the handler");
    },
  ],
  ["rejects", () => Promise.reject(new Error("of the handler"))],
];

const keepsHeaders = failing.map(([what, handler]) =>
  requirement(`a handler that ${what} still spends its token and sends its headers`, async (bench) => {
    for (const [headers, first, second] of [
      ["legacy", ["X-RateLimit-Limit: 5", "X-RateLimit-Remaining: 4", "X-RateLimit-Reset: 1795521612"], "X-RateLimit-Remaining: 3"],
      ["draft-8", ['RateLimit-Policy: "default";q=5;w=60', 'RateLimit: "default";r=4;t=48'], 'RateLimit: "default";r=3;t=36'],
    ] as const) {
      const site = await bench.site({ limiters: [bench.limit({ rate: 5, headers })], routes: [route("/", [], handler)] });
      const replies = await inTurn(2, () => site.get());
      assert.deepEqual(statuses(replies), [500, 500]);
      assertTold(replies[0], first);
      assert.ok(
        JSON.stringify(replies[1]?.fields)
          .toLowerCase()
          .includes(JSON.stringify(second.split(": ")[1]).toLowerCase()),
        "each request spends one token",
      );
    }
  }),
);

const keepsAll = requirement("a handler that throws behind two limiters still sends the headers of both", async (bench) => {
  const [outer, inner] = [
    bench.limit({ name: "outer", rate: 5, headers: "draft-8" }),
    bench.limit({ name: "inner", rate: 2, headers: "draft-8" }),
  ];
  for (const app of [{ limiters: [outer, inner] }, { limiters: [outer], own: [inner] }, { limiters: [], own: [outer, inner] }]) {
    const site = await bench.site({
      limiters: app.limiters,
      routes: [route("/", app.own ?? [], () => Promise.reject(new Error("of the handler")))],
    });
    const reply = await site.get();
    assert.equal(reply.status, 500);
    assertTold(reply, ['RateLimit-Policy: "outer";q=5;w=60, "inner";q=2;w=60', 'RateLimit: "outer";r=4;t=48, "inner";r=1;t=30']);
    bench.renew();
  }
});

const exceeded = requirement("RateLimitExceeded thrown by a handler is answered as a 429 with its headers", async (bench) => {
  const limiter = new RateLimiter({ rate: 1, backend: bench.backend });
  const handler: Handler = async () => {
    await limiter.enforce("job of ada");
    return { status: 200, body: "done" };
  };
  const site = await bench.site({ routes: [route("/", [], handler)] });
  const [admitted, refused] = await inTurn(2, () => site.get());
  assert.equal(admitted?.status, 200);
  assert.equal(refused?.status, 429);
  assertTold(refused, ["X-RateLimit-Limit: 1", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1795521660", "Retry-After: 60"]);
  assert.ok(!JSON.stringify(refused).includes("ada"), "the key must not be revealed");
});

const exceededInside = requirement("RateLimitExceeded thrown behind a limiter sends its own figures, not the limiter's", async (bench) => {
  const handler: Handler = () => {
    throw new RateLimitExceeded({ limit: 3, retryAfter: 20 });
  };
  const site = await bench.site({ limiters: [bench.limit()], routes: [route("/", [], handler)] });
  const reply = await site.get();
  assert.equal(reply.status, 429);
  assertTold(reply, ["X-RateLimit-Limit: 3", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1795521620", "Retry-After: 20"]);
});

export const handlerFailures: readonly HttpRequirement[] = [...keepsHeaders, keepsAll, exceeded, exceededInside];
