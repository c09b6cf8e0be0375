import assert from "node:assert/strict";
import { RateLimitExceeded, RateLimiter } from "@ratelimit/core";
import type { Handler } from "./app.ts";
import { field } from "./client.ts";
import { assertLimitFields, assertQuotaExceeded, assertRefused } from "./expect.ts";
import { type HttpRequirement, inTurn, requirement, route, statuses } from "./requirement.ts";

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
  requirement(`a handler that ${what} still spends its token and sends its headers`, async (fixture) => {
    for (const [headers, first, second] of [
      ["legacy", ["X-RateLimit-Limit: 5", "X-RateLimit-Remaining: 4", "X-RateLimit-Reset: 1795521612"], "X-RateLimit-Remaining: 3"],
      ["draft-8", ['RateLimit-Policy: "default";q=5;w=60', 'RateLimit: "default";r=4;t=48'], 'RateLimit: "default";r=3;t=36'],
    ] as const) {
      const site = await fixture.site({ limiters: [fixture.limit({ rate: 5, headers })], routes: [route("/", [], handler)] });
      const replies = await inTurn(2, () => site.get());
      assert.deepEqual(statuses(replies), [500, 500]);
      assertLimitFields(replies[0], first);
      assert.ok(
        JSON.stringify(replies[1]?.fields)
          .toLowerCase()
          .includes(JSON.stringify(second.split(": ")[1]).toLowerCase()),
        "each request spends one token",
      );
    }
  }),
);

const keepsAll = requirement("a handler that throws behind two limiters still sends the headers of both", async (fixture) => {
  const [outer, inner] = [
    fixture.limit({ name: "outer", rate: 5, headers: "draft-8" }),
    fixture.limit({ name: "inner", rate: 2, headers: "draft-8" }),
  ];
  for (const app of [{ limiters: [outer, inner] }, { limiters: [outer], own: [inner] }, { limiters: [], own: [outer, inner] }]) {
    const site = await fixture.site({
      limiters: app.limiters,
      routes: [route("/", app.own ?? [], () => Promise.reject(new Error("of the handler")))],
    });
    const reply = await site.get();
    assert.equal(reply.status, 500);
    assertLimitFields(reply, ['RateLimit-Policy: "outer";q=5;w=60, "inner";q=2;w=60', 'RateLimit: "outer";r=4;t=48, "inner";r=1;t=30']);
    fixture.renew();
  }
});

const constant = requirement("an error that many requests throw carries nothing from one to the next", async (fixture) => {
  const error = new Error("gone");
  const site = await fixture.site({ limiters: [fixture.limit({ rate: 5 })], routes: [route("/", [], () => Promise.reject(error))] });
  const replies = await inTurn(3, () => site.get());
  assert.deepEqual(
    replies.map((reply) => field(reply, "x-ratelimit-remaining")),
    ["4", "3", "2"],
  );
  assert.ok(!("headers" in error), "a limit must not write headers to it");
});

const exceeded = requirement("RateLimitExceeded thrown by a handler without limits is a 429 with legacy headers", async (fixture) => {
  const limiter = new RateLimiter({ rate: 1, backend: fixture.backend });
  const handler: Handler = async () => {
    await limiter.enforce("job of ada");
    return { status: 200, body: "done" };
  };
  const site = await fixture.site({ routes: [route("/", [], handler)] });
  const [admitted, refused] = await inTurn(2, () => site.get());
  assert.equal(admitted?.status, 200);
  assert.equal(refused?.status, 429);
  assertLimitFields(refused, ["X-RateLimit-Limit: 1", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1795521660", "Retry-After: 60"]);
  assert.ok(!JSON.stringify(refused).includes("ada"), "the key must not be revealed");
});

const exceededInside = requirement(
  "RateLimitExceeded thrown behind a limiter sends its own figures, not the limiter's",
  async (fixture) => {
    const handler: Handler = () => {
      throw new RateLimitExceeded({ limit: 3, retryAfter: 20 });
    };
    const site = await fixture.site({ limiters: [fixture.limit()], routes: [route("/", [], handler)] });
    const reply = await site.get();
    assert.equal(reply.status, 429);
    assertLimitFields(reply, ["X-RateLimit-Limit: 3", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1795521620", "Retry-After: 20"]);
  },
);

const inItsModes = requirement(
  "RateLimitExceeded thrown behind limits is answered like a refusal, in the modes of those limits",
  async (fixture) => {
    const exports = new RateLimiter({ name: "export", rate: 1, backend: fixture.backend });
    const handler: Handler = async () => {
      await exports.enforce("job of ada");
      return { status: 200, body: "done" };
    };
    const legacy = ["X-RateLimit-Limit: 1", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1795521660", "Retry-After: 60"];
    const draft8 = [
      'RateLimit-Policy: "default";q=10;w=60, "export";q=1;w=60',
      'RateLimit: "default";r=8;t=48, "export";r=0;t=60',
      "Retry-After: 60",
    ];
    for (const [headers, lines] of [
      ["legacy", legacy],
      ["draft-8", draft8],
      [
        ["legacy", "draft-8"],
        [...legacy.slice(0, 3), ...draft8],
      ],
      ["none", []],
    ] as const) {
      const site = await fixture.site({ limiters: [fixture.limit({ rate: 10, headers })], routes: [route("/", [], handler)] });
      await site.get();
      const reply = await site.get();
      assertLimitFields(reply, lines, [headers].flat().join());
      assertQuotaExceeded(reply, 60, ["export"]);
      fixture.renew();
    }
  },
);

const finalForGood = requirement("RateLimitExceeded whose call can never succeed is a 403 without quota headers", async (fixture) => {
  const limiter = new RateLimiter({ rate: 1, backend: fixture.backend });
  const handler: Handler = async () => {
    await limiter.enforce("job", { cost: 2 });
    return { status: 200, body: "done" };
  };
  const site = await fixture.site({ limiters: [fixture.limit()], routes: [route("/", [], handler)] });
  const reply = await site.get();
  assertLimitFields(reply, []);
  assertRefused(reply, { kind: "impossible", detail: "This request costs more than the limit ever allows." });
});

export const handlerFailures: readonly HttpRequirement[] = [
  ...keepsHeaders,
  keepsAll,
  constant,
  exceeded,
  exceededInside,
  inItsModes,
  finalForGood,
];
