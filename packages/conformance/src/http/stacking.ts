import assert from "node:assert/strict";
import { RateLimiter } from "@ratelimit/core";
import type { LimiterOptions } from "./app.ts";
import { type Bench, type HttpRequirement, inTurn, requirement, route, type Site, statuses } from "./bench.ts";
import { field } from "./client.ts";
import { assertQuotaExceeded, assertTold } from "./expect.ts";

const burst = { name: "burst", rate: 100, period: 60, burst: 150 } as const satisfies LimiterOptions;
const daily = { name: "daily", rate: 10_000, period: 86_400 } as const satisfies LimiterOptions;

/** The ways to stack two limiters: both before all routes, both on the route, or one of each. */
const places: readonly ((bench: Bench, outer: LimiterOptions, inner: LimiterOptions) => Promise<Site>)[] = [
  (bench, outer, inner) => bench.site({ limiters: [bench.limit(outer), bench.limit(inner)] }),
  (bench, outer, inner) => bench.site({ limiters: [bench.limit(outer)], routes: [route("/", [bench.limit(inner)])] }),
  (bench, outer, inner) => bench.site({ routes: [route("/", [bench.limit(outer), bench.limit(inner)])] }),
];

const bothTold = requirement("two limiters send what one limiter with both limits would send", async (bench) => {
  for (const place of places)
    for (const [headers, lines] of [
      ["legacy", ["X-RateLimit-Limit: 100", "X-RateLimit-Remaining: 100", "X-RateLimit-Reset: 1795521601"]],
      ["draft-6", ["RateLimit-Policy: 150;w=90, 10000;w=86400", "RateLimit-Limit: 150", "RateLimit-Remaining: 149", "RateLimit-Reset: 90"]],
      ["draft-7", ["RateLimit-Policy: 150;w=90, 10000;w=86400", "RateLimit: limit=150, remaining=149, reset=90"]],
      [
        "draft-8",
        ['RateLimit-Policy: "burst";q=150;w=90, "daily";q=10000;w=86400', 'RateLimit: "burst";r=149;t=90, "daily";r=9999;t=86392'],
      ],
    ] as const) {
      const site = await place(bench, { headers, ...burst }, { headers, ...daily });
      assertTold(await site.get(), lines, headers);
      bench.renew();
    }
});

const tightest = requirement("single values describe the tighter limiter, whether it is the inner or the outer one", async (bench) => {
  const [wide, narrow] = [{ rate: 1000 }, { rate: 5, period: 10 }] as const;
  const lines = ["X-RateLimit-Limit: 5", "X-RateLimit-Remaining: 4", "X-RateLimit-Reset: 1795521602"];
  for (const place of places) {
    assertTold(await (await place(bench, wide, narrow)).get(), lines, "the inner one");
    assertTold(await (await place(bench, narrow, wide)).get(), lines, "the outer one");
  }
});

const innerRefuses = requirement(
  "both limiters count: what the outer one charged stays charged when the inner one refuses",
  async (bench) => {
    for (const place of places) {
      const outer = { name: "outer", rate: 5, headers: "draft-8" } as const;
      const site = await place(bench, outer, { name: "inner", rate: 2, headers: "draft-8" });
      const replies = await inTurn(7, () => site.get());
      assert.deepEqual(statuses(replies), [200, 200, 429, 429, 429, 429, 429]);
      assertQuotaExceeded(replies[4], 30, ["inner"]);
      assertTold(replies[4], [
        'RateLimit-Policy: "outer";q=5;w=60, "inner";q=2;w=60',
        'RateLimit: "outer";r=0;t=12, "inner";r=0;t=30',
        "Retry-After: 30",
      ]);
      assertQuotaExceeded(replies[5], 12, ["outer"]);
      bench.renew();
      assertTold(replies[5], ['RateLimit-Policy: "outer";q=5;w=60', 'RateLimit: "outer";r=0;t=12', "Retry-After: 12"]);
    }
  },
);

const names = requirement("of two limits with the same name, the later one gets its limiter's name, or a number", async (bench) => {
  const minute: LimiterOptions["limits"] = [{ name: "minute", rate: 10, period: 60 }];
  for (const [outer, inner, told] of [
    [{ rate: 10 }, { rate: 20 }, '"default";q=10;w=60, "default2";q=20;w=60'],
    [{ limits: minute }, { limits: minute, name: "partner" }, '"minute";q=10;w=60, "partner";q=10;w=60'],
    [{ limits: minute }, { limits: minute, name: "GET /a b" }, '"minute";q=10;w=60, "minute2";q=10;w=60'],
    [{ limits: minute, name: "partner" }, { limits: minute, name: "minute" }, '"minute";q=10;w=60, "minute2";q=10;w=60'],
  ] as const) {
    const site = await bench.site({
      limiters: [{ headers: "draft-8", ...outer } as const, { headers: "draft-8", ...inner } as const].map((options) =>
        bench.limit(options),
      ),
    });
    assert.equal(field(await site.get(), "ratelimit-policy"), told);
  }
});

const refusalNames = requirement("a refusal names a limit as the headers do", async (bench) => {
  const site = await bench.site({
    limiters: [bench.limit({ rate: 10, headers: "draft-8" })],
    routes: [route("/", [bench.limit({ rate: 1, headers: "draft-8" })])],
  });
  const [, refusal] = await inTurn(2, () => site.get());
  assert.equal(field(refusal, "ratelimit"), '"default";r=8;t=48, "default2";r=0;t=60');
  assertQuotaExceeded(refusal, 60, ["default2"]);
});

const onceEach = requirement("a request is charged once per limiter, however often it passes through it", async (bench) => {
  for (const headers of ["legacy", "draft-8"] as const) {
    const limiter = new RateLimiter({ rate: 4, backend: bench.backend, name: headers });
    const limits = [1, 2].map(() => bench.limit({ limiter, headers }));
    const site = await bench.site({ limiters: limits, routes: [route("/", limits)] });
    const replies = await inTurn(6, () => site.get());
    assert.deepEqual(statuses(replies), [200, 200, 200, 200, 429, 429]);
    const once = {
      legacy: ["X-RateLimit-Limit: 4", "X-RateLimit-Remaining: 3", "X-RateLimit-Reset: 1795521615"],
      "draft-8": ['RateLimit-Policy: "default";q=4;w=60', 'RateLimit: "default";r=3;t=45'],
    };
    assertTold(replies[0], headers === "legacy" ? once.legacy : once["draft-8"].map((line) => line.replace("default", "draft-8")));
  }
});

const twoKeys = requirement("one limiter with two keys charges twice", async (bench) => {
  const limiter = new RateLimiter({ rate: 3, backend: bench.backend });
  const site = await bench.site({
    limiters: [bench.limit({ limiter })],
    routes: [route("/", [bench.limit({ limiter, key: () => "all" })])],
  });
  assert.deepEqual(statuses(await inTurn(4, () => site.get())), [200, 200, 200, 429]);
  assert.deepEqual(bench.backend.asked.slice(0, 2), ["ip:127.0.0.1", "key:all"]);
});

const shared = requirement("one limiter on two routes is one budget", async (bench) => {
  const limiter = new RateLimiter({ rate: 3, backend: bench.backend });
  const site = await bench.site({ routes: ["/a", "/b"].map((path) => route(path, [bench.limit({ limiter })])) });
  assert.deepEqual(statuses(await inTurn(5, (i) => site.get(i % 2 === 0 ? "/a" : "/b"))), [200, 200, 200, 429, 429]);
});

const separate = requirement("two inline policies are two budgets, even if they are equal", async (bench) => {
  const site = await bench.site({ routes: ["/a", "/b"].map((path) => route(path, [bench.limit({ rate: 1 })])) });
  assert.deepEqual(statuses(await inTurn(4, (i) => site.get(i % 2 === 0 ? "/a" : "/b"))), [200, 200, 429, 429]);
});

const carried = requirement("the request carries its tightest decision, and all decisions in order", async (bench) => {
  const site = await bench.site({
    limiters: [bench.limit({ name: "wide", rate: 50 })],
    routes: [
      route("/", [bench.limit({ name: "narrow", rate: 5, period: 10 })], (_, rateLimit) => ({
        status: 200,
        body: { tightest: rateLimit, all: rateLimit?.all.map(({ tightest, remaining }) => `${tightest} ${remaining}`) },
      })),
      route("/free"),
    ],
  });
  const { tightest, all } = JSON.parse((await site.get()).body) as { tightest: object; all: string[] };
  assert.deepEqual(all, ["wide 49", "narrow 4"]);
  assert.deepEqual(tightest, {
    ...{ allowed: true, limit: 5, burst: 5, remaining: 4, retryAfter: 0, resetAfter: 2, resetAt: 1_795_521_602, tightest: "narrow" },
    limits: [{ name: "narrow", limit: 5, burst: 5, remaining: 4, retryAfter: 0, resetAfter: 2, used: 2000 }],
    ...{ cost: 1, source: "backend", degraded: false },
  });
});

const uncarried = requirement("a request that no limiter checked carries no decision", async (bench) => {
  const seen: unknown[] = [];
  const look = route("/", [], (_, rateLimit) => ({ status: 200, body: String(seen.push(rateLimit ?? "nothing")) }));
  const site = await bench.site({ limiters: [bench.limit({ excludePaths: ["/"] })], routes: [look] });
  await site.get();
  assert.deepEqual(seen, ["nothing"]);
});

export const stacking: readonly HttpRequirement[] = [
  bothTold,
  tightest,
  innerRefuses,
  names,
  refusalNames,
  onceEach,
  twoKeys,
  shared,
  separate,
  carried,
  uncarried,
];
