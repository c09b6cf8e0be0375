import assert from "node:assert/strict";
import { RateLimiter } from "@ratelimit/core";
import type { HeaderMode } from "@ratelimit/core/http";
import type { LimiterOptions } from "./app.ts";
import type { Reply } from "./client.ts";
import { assertLimitFields } from "./expect.ts";
import { type Fixture, type HttpRequirement, requirement, type Site } from "./requirement.ts";

/** The tables of http.md: the headers for 100 per minute with a burst of 150, at four moments. */
const table: readonly {
  readonly headers: HeaderMode | readonly HeaderMode[];
  readonly first: readonly string[];
  readonly fiftyLeft: readonly string[];
  readonly noneLeft: readonly string[];
  readonly refused: readonly string[];
}[] = [
  {
    headers: "legacy",
    first: ["X-RateLimit-Limit: 100", "X-RateLimit-Remaining: 100", "X-RateLimit-Reset: 1795521601"],
    fiftyLeft: ["X-RateLimit-Limit: 100", "X-RateLimit-Remaining: 50", "X-RateLimit-Reset: 1795521660"],
    noneLeft: ["X-RateLimit-Limit: 100", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1795521690"],
    refused: ["X-RateLimit-Limit: 100", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1795521690", "Retry-After: 1"],
  },
  {
    headers: "draft-6",
    first: ["RateLimit-Policy: 150;w=90", "RateLimit-Limit: 150", "RateLimit-Remaining: 149", "RateLimit-Reset: 90"],
    fiftyLeft: ["RateLimit-Policy: 150;w=90", "RateLimit-Limit: 150", "RateLimit-Remaining: 50", "RateLimit-Reset: 30"],
    noneLeft: ["RateLimit-Policy: 150;w=90", "RateLimit-Limit: 150", "RateLimit-Remaining: 0", "RateLimit-Reset: 1"],
    refused: ["RateLimit-Policy: 150;w=90", "RateLimit-Limit: 150", "RateLimit-Remaining: 0", "RateLimit-Reset: 1", "Retry-After: 1"],
  },
  {
    headers: "draft-7",
    first: ["RateLimit-Policy: 150;w=90", "RateLimit: limit=150, remaining=149, reset=90"],
    fiftyLeft: ["RateLimit-Policy: 150;w=90", "RateLimit: limit=150, remaining=50, reset=30"],
    noneLeft: ["RateLimit-Policy: 150;w=90", "RateLimit: limit=150, remaining=0, reset=1"],
    refused: ["RateLimit-Policy: 150;w=90", "RateLimit: limit=150, remaining=0, reset=1", "Retry-After: 1"],
  },
  {
    headers: "draft-8",
    first: ['RateLimit-Policy: "default";q=150;w=90', 'RateLimit: "default";r=149;t=90'],
    fiftyLeft: ['RateLimit-Policy: "default";q=150;w=90', 'RateLimit: "default";r=50;t=30'],
    noneLeft: ['RateLimit-Policy: "default";q=150;w=90', 'RateLimit: "default";r=0;t=1'],
    refused: ['RateLimit-Policy: "default";q=150;w=90', 'RateLimit: "default";r=0;t=1', "Retry-After: 1"],
  },
  {
    headers: "draft-11",
    first: ['RateLimit-Policy: "default";q=150;w=90', 'RateLimit: "default";r=149;t=1'],
    fiftyLeft: ['RateLimit-Policy: "default";q=150;w=90', 'RateLimit: "default";r=50;t=1'],
    noneLeft: ['RateLimit-Policy: "default";q=150;w=90', 'RateLimit: "default";r=0;t=1'],
    refused: ['RateLimit-Policy: "default";q=150;w=90', 'RateLimit: "default";r=0;t=1', "Retry-After: 1"],
  },
  { headers: "none", first: [], fiftyLeft: [], noneLeft: [], refused: [] },
  {
    headers: ["legacy", "draft-8"],
    first: [
      ...["X-RateLimit-Limit: 100", "X-RateLimit-Remaining: 100", "X-RateLimit-Reset: 1795521601"],
      ...['RateLimit-Policy: "default";q=150;w=90', 'RateLimit: "default";r=149;t=90'],
    ],
    fiftyLeft: [
      ...["X-RateLimit-Limit: 100", "X-RateLimit-Remaining: 50", "X-RateLimit-Reset: 1795521660"],
      ...['RateLimit-Policy: "default";q=150;w=90', 'RateLimit: "default";r=50;t=30'],
    ],
    noneLeft: [
      ...["X-RateLimit-Limit: 100", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1795521690"],
      ...['RateLimit-Policy: "default";q=150;w=90', 'RateLimit: "default";r=0;t=1'],
    ],
    refused: [
      ...["X-RateLimit-Limit: 100", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1795521690", "Retry-After: 1"],
      ...['RateLimit-Policy: "default";q=150;w=90', 'RateLimit: "default";r=0;t=1'],
    ],
  },
];

/** Starts a site whose requests cost what their `X-Cost` says. */
export function costing(fixture: Fixture, options: LimiterOptions = {}): Promise<{ site: Site; spend: (cost: number) => Promise<Reply> }> {
  const cost: LimiterOptions["cost"] = (req) => Number(req.headers["x-cost"]);
  return fixture.site({ limiters: [fixture.limit({ cost, ...options })] }).then((site) => ({
    site,
    spend: (cost) => site.get("/", { "X-Cost": String(cost) }),
  }));
}

const tables = table.map(({ headers, first, fiftyLeft, noneLeft, refused }) =>
  requirement(
    `headers ${[headers].flat().join(" and ")}: exactly those of the table, with 149, 50 and 0 tokens left and on refusal`,
    async (fixture) => {
      const one = await costing(fixture, { headers });
      assertLimitFields(await one.spend(1), first, "the first request");
      const two = await costing(fixture, { headers });
      assertLimitFields(await two.spend(100), fiftyLeft, "the request that leaves 50");
      await two.spend(49);
      assertLimitFields(await two.spend(1), noneLeft, "the request that takes the last token");
      assertLimitFields(await two.spend(1), refused, "the refusal");
    },
  ),
);

const byDefault = requirement("the default headers are the legacy ones", async (fixture) => {
  const site = await fixture.site({ limiters: [fixture.limit()] });
  assertLimitFields(await site.get(), ["X-RateLimit-Limit: 100", "X-RateLimit-Remaining: 100", "X-RateLimit-Reset: 1795521601"]);
});

const refill = requirement("Retry-After: 1 rounds up 600 ms: refused at 599 ms, admitted at 600 ms", async (fixture) => {
  const { spend } = await costing(fixture, { headers: "draft-8" });
  await spend(150);
  fixture.pass(599);
  assertLimitFields(
    await spend(1),
    ['RateLimit-Policy: "default";q=150;w=90', 'RateLimit: "default";r=0;t=1', "Retry-After: 1"],
    "at 599 ms",
  );
  fixture.pass(1);
  assertLimitFields(await spend(1), ['RateLimit-Policy: "default";q=150;w=90', 'RateLimit: "default";r=0;t=1'], "at 600 ms");
  fixture.pass(60_000);
  assertLimitFields(await spend(1), ['RateLimit-Policy: "default";q=150;w=90', 'RateLimit: "default";r=99;t=60'], "after a minute");
  fixture.pass(900_000);
  assertLimitFields(await spend(1), ['RateLimit-Policy: "default";q=150;w=90', 'RateLimit: "default";r=149;t=90'], "after a long time");
});

const dearRequest = requirement("an expensive request gets the wait for its own cost, and is admitted after it", async (fixture) => {
  const { spend } = await costing(fixture, { headers: ["draft-8", "legacy"] });
  await spend(147);
  assertLimitFields(await spend(10), [
    ...['RateLimit-Policy: "default";q=150;w=90', 'RateLimit: "default";r=3;t=5', "Retry-After: 5"],
    ...["X-RateLimit-Limit: 100", "X-RateLimit-Remaining: 3", "X-RateLimit-Reset: 1795521689"],
  ]);
  fixture.pass(5000);
  assert.equal((await spend(10)).status, 200);
});

const neverAdmitted = requirement("a cost above the burst has no Retry-After and no quota headers", async (fixture) => {
  for (const headers of ["legacy", "draft-6", "draft-7", "draft-8", "draft-11"] as const) {
    const { spend } = await costing(fixture, { headers });
    const reply = await spend(151);
    assert.equal(reply.status, 403);
    assertLimitFields(reply, [], headers);
  }
});

const smallBucket = requirement("legacy: the limit is never more than the bucket holds", async (fixture) => {
  const { spend } = await costing(fixture, { rate: 100, burst: 10 });
  assertLimitFields(await spend(1), ["X-RateLimit-Limit: 10", "X-RateLimit-Remaining: 9", "X-RateLimit-Reset: 1795521601"]);
});

const fewestLeft = requirement(
  "drafts 6 and 7 report the limit with the fewest tokens left, even if another one makes wait longer",
  async (fixture) => {
    const limits: LimiterOptions["limits"] = [
      { name: "second", rate: 5, period: 1 },
      { name: "minute", rate: 8, period: 60 },
    ];
    for (const [headers, lines] of [
      ["draft-6", ["RateLimit-Policy: 5;w=1, 8;w=60", "RateLimit-Limit: 5", "RateLimit-Remaining: 1", "RateLimit-Reset: 1"]],
      ["draft-7", ["RateLimit-Policy: 5;w=1, 8;w=60", "RateLimit: limit=5, remaining=1, reset=1"]],
    ] as const) {
      fixture.renew();
      const { spend } = await costing(fixture, { headers, limits });
      await spend(5);
      fixture.pass(300);
      assertLimitFields(await spend(4), [...lines, "Retry-After: 8"], headers);
    }
  },
);

const slowPolicy = requirement("one per hour: the window is an hour, and the wait is exact to the second", async (fixture) => {
  const { spend } = await costing(fixture, { headers: "draft-8", rate: 1, period: "1h" });
  assertLimitFields(await spend(1), ['RateLimit-Policy: "default";q=1;w=3600', 'RateLimit: "default";r=0;t=3600']);
  fixture.pass(10_000);
  assertLimitFields(await spend(1), ['RateLimit-Policy: "default";q=1;w=3600', 'RateLimit: "default";r=0;t=3590', "Retry-After: 3590"]);
  fixture.pass(3_590_000);
  assert.equal((await spend(1)).status, 200);
});

const twoLimits = {
  limits: [
    { name: "burst", rate: 100, period: 60, burst: 150 },
    { name: "daily", rate: 10_000, period: 86_400 },
  ],
} as const satisfies LimiterOptions;

const severalLimits = requirement("several limits: lists contain all of them, single values describe the tightest", async (fixture) => {
  for (const [headers, lines] of [
    ["legacy", ["X-RateLimit-Limit: 100", "X-RateLimit-Remaining: 100", "X-RateLimit-Reset: 1795521601"]],
    ["draft-6", ["RateLimit-Policy: 150;w=90, 10000;w=86400", "RateLimit-Limit: 150", "RateLimit-Remaining: 149", "RateLimit-Reset: 90"]],
    ["draft-7", ["RateLimit-Policy: 150;w=90, 10000;w=86400", "RateLimit: limit=150, remaining=149, reset=90"]],
    ["draft-8", ['RateLimit-Policy: "burst";q=150;w=90, "daily";q=10000;w=86400', 'RateLimit: "burst";r=149;t=90, "daily";r=9999;t=86392']],
  ] as const) {
    const { spend } = await costing(fixture, { headers, ...twoLimits });
    assertLimitFields(await spend(1), lines, headers);
  }
});

const refusedByDaily = requirement(
  "a refusal by the daily limit sends its wait, its figures and the state of both limits",
  async (fixture) => {
    for (const [headers, lines] of [
      ["legacy", ["X-RateLimit-Limit: 10000", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1795607998"]],
      ["draft-6", ["RateLimit-Policy: 150;w=90, 10000;w=86400", "RateLimit-Limit: 10000", "RateLimit-Remaining: 0", "RateLimit-Reset: 7"]],
      ["draft-7", ["RateLimit-Policy: 150;w=90, 10000;w=86400", "RateLimit: limit=10000, remaining=0, reset=7"]],
      ["draft-8", ['RateLimit-Policy: "burst";q=150;w=90, "daily";q=10000;w=86400', 'RateLimit: "burst";r=80;t=7, "daily";r=0;t=7']],
    ] as const) {
      fixture.renew();
      fixture.pass(-6_914_160);
      const limiter = new RateLimiter({ ...twoLimits, backend: fixture.backend, name: headers });
      const site = await fixture.site({ limiters: [fixture.limit({ headers, limiter })] });
      // 10,800 tokens in 6,914.16 s leave a quarter of a token in the daily limit and 80.5 tokens in the other.
      for (let i = 0; i < 71; i++, fixture.pass(90_000)) limiter.checkSync("ip:127.0.0.1", { cost: 150 });
      limiter.checkSync("ip:127.0.0.1", { cost: 80 });
      fixture.pass(6_913_860 - 6_390_000);
      limiter.checkSync("ip:127.0.0.1", { cost: 70 });
      fixture.pass(300);
      assertLimitFields(await site.get(), [...lines, "Retry-After: 7"], headers);
    }
  },
);

const equalQuotas = requirement("of two equal quotas, drafts 6 and 7 list the tightest", async (fixture) => {
  const limits: LimiterOptions["limits"] = [
    { name: "second", rate: 100, period: 1 },
    { name: "minute", rate: 100, period: 60 },
  ];
  for (const [headers, lines] of [
    ["draft-6", ["RateLimit-Policy: 100;w=60", "RateLimit-Limit: 100", "RateLimit-Remaining: 0", "RateLimit-Reset: 1"]],
    ["draft-7", ["RateLimit-Policy: 100;w=60", "RateLimit: limit=100, remaining=0, reset=1"]],
  ] as const) {
    fixture.renew();
    const { spend } = await costing(fixture, { headers, limits });
    await spend(99);
    fixture.pass(500);
    assertLimitFields(await spend(1), lines, headers);
  }
});

export const headerModes: readonly HttpRequirement[] = [
  ...tables,
  byDefault,
  refill,
  dearRequest,
  neverAdmitted,
  smallBucket,
  fewestLeft,
  slowPolicy,
  severalLimits,
  refusedByDaily,
  equalQuotas,
];
