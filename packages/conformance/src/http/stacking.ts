import assert from "node:assert/strict";
import { RateLimiter } from "@ratelimit/core";
import type { Handler, LimiterOptions } from "./app.ts";
import { field, limitFields } from "./client.ts";
import { assertLimitFields, assertQuotaExceeded } from "./expect.ts";
import { type Fixture, type HttpRequirement, inTurn, requirement, route, type Site, statuses } from "./requirement.ts";

const burst = { name: "burst", rate: 100, period: 60, burst: 150 } as const satisfies LimiterOptions;
const daily = { name: "daily", rate: 10_000, period: 86_400 } as const satisfies LimiterOptions;

/** The ways to stack two limiters: both before all routes, both on the route, or one of each. */
const places: readonly ((fixture: Fixture, outer: LimiterOptions, inner: LimiterOptions) => Promise<Site>)[] = [
  (fixture, outer, inner) => fixture.site({ limiters: [fixture.limit(outer), fixture.limit(inner)] }),
  (fixture, outer, inner) => fixture.site({ limiters: [fixture.limit(outer)], routes: [route("/", [fixture.limit(inner)])] }),
  (fixture, outer, inner) => fixture.site({ routes: [route("/", [fixture.limit(outer), fixture.limit(inner)])] }),
];

const combined = requirement("two limiters send what one limiter with both limits would send", async (fixture) => {
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
      const site = await place(fixture, { headers, ...burst }, { headers, ...daily });
      assertLimitFields(await site.get(), lines, headers);
      fixture.renew();
    }
});

const tightest = requirement("single values describe the tighter limiter, whether it is the inner or the outer one", async (fixture) => {
  const [wide, narrow] = [{ rate: 1000 }, { rate: 5, period: 10 }] as const;
  const lines = ["X-RateLimit-Limit: 5", "X-RateLimit-Remaining: 4", "X-RateLimit-Reset: 1795521602"];
  for (const place of places) {
    assertLimitFields(await (await place(fixture, wide, narrow)).get(), lines, "the inner one");
    assertLimitFields(await (await place(fixture, narrow, wide)).get(), lines, "the outer one");
  }
});

const innerRefuses = requirement(
  "both limiters count: what the outer one charged stays charged when the inner one refuses",
  async (fixture) => {
    for (const place of places) {
      const outer = { name: "outer", rate: 5, headers: "draft-8" } as const;
      const site = await place(fixture, outer, { name: "inner", rate: 2, headers: "draft-8" });
      const replies = await inTurn(7, () => site.get());
      assert.deepEqual(statuses(replies), [200, 200, 429, 429, 429, 429, 429]);
      assertQuotaExceeded(replies[4], 30, ["inner"]);
      assertLimitFields(replies[4], [
        'RateLimit-Policy: "outer";q=5;w=60, "inner";q=2;w=60',
        'RateLimit: "outer";r=0;t=12, "inner";r=0;t=30',
        "Retry-After: 30",
      ]);
      assertQuotaExceeded(replies[5], 12, ["outer"]);
      fixture.renew();
      assertLimitFields(replies[5], ['RateLimit-Policy: "outer";q=5;w=60', 'RateLimit: "outer";r=0;t=12', "Retry-After: 12"]);
    }
  },
);

const names = requirement("of two limits with the same name, the later one gets its limiter's name, or a number", async (fixture) => {
  const minute: LimiterOptions["limits"] = [{ name: "minute", rate: 10, period: 60 }];
  for (const [outer, inner, policy] of [
    [{ rate: 10 }, { rate: 20 }, '"default";q=10;w=60, "default2";q=20;w=60'],
    [{ limits: minute }, { limits: minute, name: "partner" }, '"minute";q=10;w=60, "partner";q=10;w=60'],
    [{ limits: minute }, { limits: minute, name: "GET /a b" }, '"minute";q=10;w=60, "minute2";q=10;w=60'],
    [{ limits: minute, name: "partner" }, { limits: minute, name: "minute" }, '"minute";q=10;w=60, "minute2";q=10;w=60'],
  ] as const) {
    const site = await fixture.site({
      limiters: [{ headers: "draft-8", ...outer } as const, { headers: "draft-8", ...inner } as const].map((options) =>
        fixture.limit(options),
      ),
    });
    assert.equal(field(await site.get(), "ratelimit-policy"), policy);
  }
});

const refusalNames = requirement("a refusal names a limit as the headers do", async (fixture) => {
  const site = await fixture.site({
    limiters: [fixture.limit({ rate: 10, headers: "draft-8" })],
    routes: [route("/", [fixture.limit({ rate: 1, headers: "draft-8" })])],
  });
  const [, refusal] = await inTurn(2, () => site.get());
  assert.equal(field(refusal, "ratelimit"), '"default";r=8;t=48, "default2";r=0;t=60');
  assertQuotaExceeded(refusal, 60, ["default2"]);
});

const onceEach = requirement("a request is charged once per limiter, however often it passes through it", async (fixture) => {
  for (const headers of ["legacy", "draft-8"] as const) {
    const limiter = new RateLimiter({ rate: 4, backend: fixture.backend, name: headers });
    const limits = [1, 2].map(() => fixture.limit({ limiter, headers }));
    const site = await fixture.site({ limiters: limits, routes: [route("/", limits)] });
    const replies = await inTurn(6, () => site.get());
    assert.deepEqual(statuses(replies), [200, 200, 200, 200, 429, 429]);
    const once = {
      legacy: ["X-RateLimit-Limit: 4", "X-RateLimit-Remaining: 3", "X-RateLimit-Reset: 1795521615"],
      "draft-8": ['RateLimit-Policy: "default";q=4;w=60', 'RateLimit: "default";r=3;t=45'],
    };
    assertLimitFields(replies[0], headers === "legacy" ? once.legacy : once["draft-8"].map((line) => line.replace("default", "draft-8")));
  }
});

const twoKeys = requirement("one limiter with two keys charges twice", async (fixture) => {
  const limiter = new RateLimiter({ rate: 3, backend: fixture.backend });
  const site = await fixture.site({
    limiters: [fixture.limit({ limiter })],
    routes: [route("/", [fixture.limit({ limiter, key: () => "all" })])],
  });
  assert.deepEqual(statuses(await inTurn(4, () => site.get())), [200, 200, 200, 429]);
  assert.deepEqual(fixture.backend.asked.slice(0, 2), ["ip:127.0.0.1", "key:all"]);
});

const shared = requirement("one limiter on two routes is one budget", async (fixture) => {
  const limiter = new RateLimiter({ rate: 3, backend: fixture.backend });
  const site = await fixture.site({ routes: ["/a", "/b"].map((path) => route(path, [fixture.limit({ limiter })])) });
  assert.deepEqual(statuses(await inTurn(5, (i) => site.get(i % 2 === 0 ? "/a" : "/b"))), [200, 200, 200, 429, 429]);
});

const separate = requirement("two inline policies are two budgets, even if they are equal", async (fixture) => {
  const site = await fixture.site({ routes: ["/a", "/b"].map((path) => route(path, [fixture.limit({ rate: 1 })])) });
  assert.deepEqual(statuses(await inTurn(4, (i) => site.get(i % 2 === 0 ? "/a" : "/b"))), [200, 200, 429, 429]);
});

const carried = requirement("the request carries its tightest decision, and all decisions in order", async (fixture) => {
  const site = await fixture.site({
    limiters: [fixture.limit({ name: "wide", rate: 50 })],
    routes: [
      route("/", [fixture.limit({ name: "narrow", rate: 5, period: 10 })], (_, rateLimit) => ({
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
    ...{ cost: 1, source: "backend", degraded: false, name: "narrow" },
  });
});

const uncarried = requirement("a request that no limiter checked carries no decision", async (fixture) => {
  const seen: unknown[] = [];
  const look = route("/", [], (_, rateLimit) => ({ status: 200, body: String(seen.push(rateLimit ?? "nothing")) }));
  const site = await fixture.site({ limiters: [fixture.limit({ excludePaths: ["/"] })], routes: [look] });
  await site.get();
  assert.deepEqual(seen, ["nothing"]);
});

const hidden = requirement('headers: "none" discloses nothing, even beside other limiters', async (fixture) => {
  for (const place of places) {
    const site = await place(
      fixture,
      { name: "abuse", rate: 2, headers: "none" },
      { name: "api", rate: 100, headers: ["legacy", "draft-8"] },
    );
    const replies = await inTurn(3, () => site.get());
    assert.deepEqual(statuses(replies), [200, 200, 429]);
    assertLimitFields(replies[1], [
      ...["X-RateLimit-Limit: 100", "X-RateLimit-Remaining: 98", "X-RateLimit-Reset: 1795521602"],
      ...['RateLimit-Policy: "api";q=100;w=60', 'RateLimit: "api";r=98;t=59'],
    ]);
    assertLimitFields(replies[2], []);
    fixture.renew();
  }
});

const union = requirement("stacked limiters send the modes that any of them asks for, with matching figures", async (fixture) => {
  for (const place of places) {
    const site = await place(fixture, { name: "site", rate: 100, headers: "legacy" }, { name: "route", rate: 1, headers: "draft-8" });
    const fields = [
      ...["X-RateLimit-Limit: 1", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1795521660"],
      'RateLimit-Policy: "site";q=100;w=60, "route";q=1;w=60',
    ];
    assertLimitFields(await site.get(), [...fields, 'RateLimit: "site";r=99;t=60, "route";r=0;t=60'], "admitted");
    const refusal = [...fields, 'RateLimit: "site";r=98;t=59, "route";r=0;t=60', "Retry-After: 60"];
    assertLimitFields(await site.get(), refusal, "refused");
    fixture.renew();
  }
});

const newest = requirement("of the drafts that stacked limiters ask for, only the newest is sent", async (fixture) => {
  for (const place of places)
    for (const [outer, inner] of [
      ["draft-6", "draft-8"],
      ["draft-8", "draft-6"],
    ] as const) {
      const site = await place(fixture, { name: "site", rate: 100, headers: outer }, { name: "route", rate: 1, headers: inner });
      const policy = 'RateLimit-Policy: "site";q=100;w=60, "route";q=1;w=60';
      assertLimitFields(await site.get(), [policy, 'RateLimit: "site";r=99;t=60, "route";r=0;t=60'], "admitted");
      assertLimitFields(await site.get(), [policy, 'RateLimit: "site";r=98;t=59, "route";r=0;t=60', "Retry-After: 60"], "refused");
      fixture.renew();
    }
});

const exposed = requirement("exposeHeaders covers the headers of all stacked limiters", async (fixture) => {
  const outer = fixture.limit({ name: "outer", rate: 2, headers: "legacy", exposeHeaders: true });
  const inner = fixture.limit({ name: "inner", rate: 5, headers: "draft-8" });
  for (const limiters of [
    [outer, inner],
    [inner, outer],
  ]) {
    const site = await fixture.site({ limiters });
    for (const reply of await inTurn(3, () => site.get())) {
      const names = field(reply, "access-control-expose-headers")?.split(", ") ?? [];
      for (const line of limitFields(reply)) {
        const [name = ""] = line.split(":");
        assert.ok(
          names.some((exposed) => exposed.toLowerCase() === name.toLowerCase()),
          `${name} is sent but not exposed`,
        );
      }
    }
    fixture.renew();
  }
});

const reset = requirement("Retry-After is never earlier than a reset beside it", async (fixture) => {
  for (const headers of ["draft-6", "draft-7", "draft-8", "draft-11"] as const) {
    const limits = [
      { name: "second", rate: 1, period: 1 },
      { name: "day", rate: 10_000, period: 86_400 },
    ] as const;
    const site = await fixture.site({ limiters: [fixture.limit({ limits, headers })] });
    const [, refused] = await inTurn(2, () => site.get());
    assert.equal(field(refused, "retry-after"), "1");
    const resets = JSON.stringify([field(refused, "ratelimit"), field(refused, "ratelimit-reset")]).matchAll(/(?:t=|reset=|,\\?")(\d+)/g);
    for (const [, seconds] of resets) assert.ok(Number(seconds) <= 1, `${headers}: ${seconds}`);
    fixture.renew();
  }
});

/** Charges nine tokens to the limiter that `X-Charge` names, or to none in particular. */
const chargingOne: Handler = async ({ headers }, rateLimit) => {
  const name = headers["x-charge"];
  const chosen = name === undefined ? rateLimit : rateLimit?.of(String(name));
  if (chosen === undefined) return { status: 404, body: "no such limiter" };
  try {
    const { limit, remaining } = await chosen.charge(9);
    return { status: 200, body: { limit, remaining } };
  } catch (error) {
    return { status: 409, body: (error as Error).message };
  }
};

const chosen = requirement(
  "of three limiters, of(name) charges the one that is meant, and a bare charge refuses to guess",
  async (fixture) => {
    const [site, user, llm] = [
      { name: "site", rate: 100 },
      { name: "user", rate: 50 },
      { name: "llm", rate: 10_000, period: "1d" },
    ] as const;
    const routes = [route("/", [fixture.limit(user), fixture.limit(llm)], chargingOne)];
    const app = await fixture.site({ limiters: [fixture.limit(site)], routes });
    const charge = async (name: string): Promise<unknown> => JSON.parse((await app.get("/", { "X-Charge": name })).body);
    assert.deepEqual(await charge("llm"), { limit: 10_000, remaining: 9990 });
    assert.deepEqual(await charge("user"), { limit: 50, remaining: 39 });
    assert.deepEqual(await charge("site"), { limit: 100, remaining: 88 });
    assert.equal((await app.get("/", { "X-Charge": "other" })).status, 404);
    const bare = await app.get();
    assert.equal(bare.status, 409);
    assert.match(bare.body, /^Expected one decision to charge, got those of "site", "user", "llm": /);
  },
);

export const stacking: readonly HttpRequirement[] = [
  combined,
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
  hidden,
  union,
  newest,
  exposed,
  reset,
  chosen,
];
