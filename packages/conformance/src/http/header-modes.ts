import assert from "node:assert/strict";
import { RateLimiter } from "@ratelimit/core";
import type { HeaderMode } from "@ratelimit/core/http";
import type { LimiterOptions } from "./app.ts";
import { type Bench, type HttpRequirement, requirement, type Site } from "./bench.ts";
import type { Reply } from "./client.ts";
import { assertTold } from "./expect.ts";

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
  ...(["draft-8", "draft-11"] as const).map((headers) => ({
    headers,
    first: ['RateLimit-Policy: "default";q=150;w=90', 'RateLimit: "default";r=149;t=90'],
    fiftyLeft: ['RateLimit-Policy: "default";q=150;w=90', 'RateLimit: "default";r=50;t=30'],
    noneLeft: ['RateLimit-Policy: "default";q=150;w=90', 'RateLimit: "default";r=0;t=1'],
    refused: ['RateLimit-Policy: "default";q=150;w=90', 'RateLimit: "default";r=0;t=1', "Retry-After: 1"],
  })),
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
export function costing(bench: Bench, options: LimiterOptions = {}): Promise<{ site: Site; spend: (cost: number) => Promise<Reply> }> {
  const cost: LimiterOptions["cost"] = (req) => Number(req.headers["x-cost"]);
  return bench.site({ limiters: [bench.limit({ cost, ...options })] }).then((site) => ({
    site,
    spend: (cost) => site.get("/", { "X-Cost": String(cost) }),
  }));
}

const tables = table.map(({ headers, first, fiftyLeft, noneLeft, refused }) =>
  requirement(
    `headers ${[headers].flat().join(" and ")}: exactly those of the table, with 149, 50 and 0 tokens left and on refusal`,
    async (bench) => {
      const one = await costing(bench, { headers });
      assertTold(await one.spend(1), first, "the first request");
      const two = await costing(bench, { headers });
      assertTold(await two.spend(100), fiftyLeft, "the request that leaves 50");
      await two.spend(49);
      assertTold(await two.spend(1), noneLeft, "the request that takes the last token");
      assertTold(await two.spend(1), refused, "the refusal");
    },
  ),
);

const byDefault = requirement("the default headers are the legacy ones", async (bench) => {
  const site = await bench.site({ limiters: [bench.limit()] });
  assertTold(await site.get(), ["X-RateLimit-Limit: 100", "X-RateLimit-Remaining: 100", "X-RateLimit-Reset: 1795521601"]);
});

const refill = requirement("Retry-After: 1 rounds up 600 ms: refused at 599 ms, admitted at 600 ms", async (bench) => {
  const { spend } = await costing(bench, { headers: "draft-8" });
  await spend(150);
  bench.pass(599);
  assertTold(await spend(1), ['RateLimit-Policy: "default";q=150;w=90', 'RateLimit: "default";r=0;t=1', "Retry-After: 1"], "at 599 ms");
  bench.pass(1);
  assertTold(await spend(1), ['RateLimit-Policy: "default";q=150;w=90', 'RateLimit: "default";r=0;t=1'], "at 600 ms");
  bench.pass(60_000);
  assertTold(await spend(1), ['RateLimit-Policy: "default";q=150;w=90', 'RateLimit: "default";r=99;t=60'], "after a minute");
  bench.pass(900_000);
  assertTold(await spend(1), ['RateLimit-Policy: "default";q=150;w=90', 'RateLimit: "default";r=149;t=90'], "after a long time");
});

const dearRequest = requirement("an expensive request gets the wait for its own cost, and is admitted after it", async (bench) => {
  const { spend } = await costing(bench, { headers: ["draft-8", "legacy"] });
  await spend(147);
  assertTold(await spend(10), [
    ...['RateLimit-Policy: "default";q=150;w=90', 'RateLimit: "default";r=3;t=5', "Retry-After: 5"],
    ...["X-RateLimit-Limit: 100", "X-RateLimit-Remaining: 3", "X-RateLimit-Reset: 1795521689"],
  ]);
  bench.pass(5000);
  assert.equal((await spend(10)).status, 200);
});

const neverAdmitted = requirement("a cost above the burst has no Retry-After", async (bench) => {
  const { spend } = await costing(bench, { headers: "draft-8" });
  const reply = await spend(151);
  assert.equal(reply.status, 429);
  assertTold(reply, ['RateLimit-Policy: "default";q=150;w=90', 'RateLimit: "default";r=150;t=1']);
});

const slowPolicy = requirement("one per hour: the window is an hour, and the wait is exact to the second", async (bench) => {
  const { spend } = await costing(bench, { headers: "draft-8", rate: 1, period: "1h" });
  assertTold(await spend(1), ['RateLimit-Policy: "default";q=1;w=3600', 'RateLimit: "default";r=0;t=3600']);
  bench.pass(10_000);
  assertTold(await spend(1), ['RateLimit-Policy: "default";q=1;w=3600', 'RateLimit: "default";r=0;t=3590', "Retry-After: 3590"]);
  bench.pass(3_590_000);
  assert.equal((await spend(1)).status, 200);
});

const twoLimits = {
  limits: [
    { name: "burst", rate: 100, period: 60, burst: 150 },
    { name: "daily", rate: 10_000, period: 86_400 },
  ],
} as const satisfies LimiterOptions;

const severalLimits = requirement("several limits: lists contain all of them, single values describe the tightest", async (bench) => {
  for (const [headers, lines] of [
    ["legacy", ["X-RateLimit-Limit: 100", "X-RateLimit-Remaining: 100", "X-RateLimit-Reset: 1795521601"]],
    ["draft-6", ["RateLimit-Policy: 150;w=90, 10000;w=86400", "RateLimit-Limit: 150", "RateLimit-Remaining: 149", "RateLimit-Reset: 90"]],
    ["draft-7", ["RateLimit-Policy: 150;w=90, 10000;w=86400", "RateLimit: limit=150, remaining=149, reset=90"]],
    ["draft-8", ['RateLimit-Policy: "burst";q=150;w=90, "daily";q=10000;w=86400', 'RateLimit: "burst";r=149;t=90, "daily";r=9999;t=86392']],
  ] as const) {
    const { spend } = await costing(bench, { headers, ...twoLimits });
    assertTold(await spend(1), lines, headers);
  }
});

const refusedByDaily = requirement(
  "a refusal by the daily limit sends its wait, its figures and the state of both limits",
  async (bench) => {
    for (const [headers, lines] of [
      ["legacy", ["X-RateLimit-Limit: 10000", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1795607998"]],
      ["draft-6", ["RateLimit-Policy: 150;w=90, 10000;w=86400", "RateLimit-Limit: 10000", "RateLimit-Remaining: 0", "RateLimit-Reset: 7"]],
      ["draft-7", ["RateLimit-Policy: 150;w=90, 10000;w=86400", "RateLimit: limit=10000, remaining=0, reset=7"]],
      ["draft-8", ['RateLimit-Policy: "burst";q=150;w=90, "daily";q=10000;w=86400', 'RateLimit: "burst";r=80;t=49, "daily";r=0;t=7']],
    ] as const) {
      bench.renew();
      bench.pass(-6_914_160);
      const limiter = new RateLimiter({ ...twoLimits, backend: bench.backend, name: headers });
      const site = await bench.site({ limiters: [bench.limit({ headers, limiter })] });
      // 10,800 tokens in 6,914.16 s leave a quarter of a token in the daily limit and 80.5 tokens in the other.
      for (let i = 0; i < 71; i++, bench.pass(90_000)) limiter.checkSync("ip:127.0.0.1", { cost: 150 });
      limiter.checkSync("ip:127.0.0.1", { cost: 80 });
      bench.pass(6_913_860 - 6_390_000);
      limiter.checkSync("ip:127.0.0.1", { cost: 70 });
      bench.pass(300);
      assertTold(await site.get(), [...lines, "Retry-After: 7"], headers);
    }
  },
);

const equalQuotas = requirement("drafts 6 and 7 list only one of two equal quotas", async (bench) => {
  const limits: LimiterOptions["limits"] = [
    { name: "second", rate: 100, period: 1 },
    { name: "minute", rate: 100, period: 60 },
  ];
  for (const [headers, lines] of [
    ["draft-6", ["RateLimit-Policy: 100;w=1", "RateLimit-Limit: 100", "RateLimit-Remaining: 99", "RateLimit-Reset: 1"]],
    ["draft-7", ["RateLimit-Policy: 100;w=1", "RateLimit: limit=100, remaining=99, reset=1"]],
  ] as const) {
    const { spend } = await costing(bench, { headers, limits });
    assertTold(await spend(1), lines, headers);
  }
});

export const headerModes: readonly HttpRequirement[] = [
  ...tables,
  byDefault,
  refill,
  dearRequest,
  neverAdmitted,
  slowPolicy,
  severalLimits,
  refusedByDaily,
  equalQuotas,
];
