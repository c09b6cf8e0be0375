import assert from "node:assert/strict";
import { type HttpRequirement, inTurn, requirement, route, statuses } from "./bench.ts";
import { field, type Reply, told } from "./client.ts";

/** Request targets that `excludePaths: ["/health"]` lets pass. */
const excluded = [
  "/health",
  "/health?x=1",
  "/health?",
  "/health#f",
  "/health?a#b",
  "http://a/health",
  "HTTP://a:80/health?x",
  "http://[::1]/health",
];

/** Request targets that look like `/health` to a router or a reader. */
const counted = [
  ...["/", "/health/", "/HEALTH", "//health", "/healthz", "/%68ealth", "/health/x", "/healt", "/./health", "/x/../health", "/health;a=b"],
  ...[
    "/health%2f",
    "/health%00",
    "/health%3Fx",
    "/x?/health",
    "/x#/health",
    "/x/health",
    "http://a//health",
    "http://a/",
    "http://health",
    "/\\health",
  ],
];

const exactPaths = requirement("excludePaths: matches exactly the path, and never one that only looks like it", async (bench) => {
  const site = await bench.site({ limiters: [bench.limit({ excludePaths: ["/health"] })], routes: [route("/"), route("/health")] });
  const tell = async (path: string): Promise<string> => {
    bench.backend.asked.length = 0;
    const reply = await site.get(path);
    assert.equal(told(reply).length > 0, bench.backend.asked.length > 0, `${path}: exactly the counted requests get headers`);
    return `${path} ${bench.backend.asked.length}`;
  };
  const lines: string[] = [];
  for (const path of [...excluded, ...counted]) lines.push(await tell(path));
  assert.deepEqual(lines, [...excluded.map((path) => `${path} 0`), ...counted.map((path) => `${path} 1`)]);
});

const excludedHead = requirement("excludePaths: applies to every method", async (bench) => {
  const site = await bench.site({ limiters: [bench.limit({ excludePaths: ["/health"] })], routes: [route("/health")] });
  for (const method of ["GET", "HEAD", "POST", "OPTIONS"])
    assert.deepEqual(told(await site.request({ method, path: "/health" })), [], method);
  assert.deepEqual(bench.backend.asked, []);
});

const mounted = requirement("excludePaths: in a mounted application, matches the whole path", async (bench) => {
  const limiters = [bench.limit({ excludePaths: ["/api/health", "/status"] })];
  const site = await bench.site({ mount: "/api", limiters, routes: ["/health", "/status"].map((path) => route(path)) });
  assert.deepEqual(told(await site.get("/api/health?x")), []);
  assert.equal(told(await site.get("/api/status")).length, 3);
  assert.equal(bench.backend.asked.length, 1);
});

const unrouted = requirement("requests without a route count too, and get headers", async (bench) => {
  const site = await bench.site({ limiters: [bench.limit({ rate: 2, burst: 2 })] });
  const replies = await inTurn(4, (i) => site.get(`/nothing-${i}`));
  assert.deepEqual(statuses(replies), [404, 404, 429, 429]);
  assert.deepEqual(
    replies.map((reply) => field(reply, "x-ratelimit-remaining")),
    ["1", "0", "0", "0"],
  );
});

const methods = requirement("every method counts", async (bench) => {
  const site = await bench.site({ limiters: [bench.limit()] });
  const all = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "PURGE", "QUERY"].filter(
    (method) => method !== "QUERY",
  );
  for (const method of all) assert.ok((await site.request({ method })).status < 500, method);
  assert.equal(bench.backend.asked.length, all.length);
});

const preflight = { Origin: "https://a.example", "Access-Control-Request-Method": "PUT" };

const preflights = requirement(
  "skipPreflight: CORS preflights pass without taking a token, other OPTIONS requests take one",
  async (bench) => {
    const rows = [
      [false, "OPTIONS", preflight, 1],
      [true, "OPTIONS", preflight, 0],
      [true, "OPTIONS", {}, 1],
      [true, "OPTIONS", { Origin: "https://a.example" }, 1],
      [true, "OPTIONS", { "Access-Control-Request-Method": "PUT" }, 1],
      [true, "GET", preflight, 1],
    ] as const;
    for (const [skipPreflight, method, headers, asked] of rows) {
      const site = await bench.site({ limiters: [bench.limit({ skipPreflight })] });
      const reply = await site.request({ method, headers });
      assert.equal(bench.backend.asked.splice(0).length, asked, `${method} ${Object.keys(headers)}`);
      assert.equal(told(reply).length, asked * 3);
    }
  },
);

const skip = requirement("skip: only true lets a request pass, synchronously or not", async (bench) => {
  const given: readonly unknown[] = [
    true,
    Promise.resolve(true),
    false,
    undefined,
    "yes",
    1,
    Promise.resolve(false),
    Promise.resolve("yes"),
  ];
  const site = await bench.site({ limiters: [bench.limit({ skip: ({ headers }) => given[Number(headers["x-row"])] as never })] });
  const replies = await inTurn(given.length, (i) => site.get("/", { "X-Row": String(i) }));
  assert.deepEqual(
    replies.map((reply) => told(reply).length),
    [0, 0, 3, 3, 3, 3, 3, 3],
  );
  assert.equal(bench.backend.asked.length, 6);
});

const exposed = requirement("exposeHeaders: appends the headers that are sent to Access-Control-Expose-Headers", async (bench) => {
  const legacy = "X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, Retry-After";
  const rows = [
    ["legacy", {}, legacy],
    ["draft-6", {}, "RateLimit-Policy, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Retry-After"],
    ["draft-7", {}, "RateLimit-Policy, RateLimit, Retry-After"],
    ["draft-8", {}, "RateLimit-Policy, RateLimit, Retry-After"],
    [["draft-8", "legacy"], {}, "RateLimit-Policy, RateLimit, Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset"],
    ["none", {}, undefined],
    [
      "legacy",
      { "Access-Control-Expose-Headers": "X-Request-Id, retry-after" },
      `X-Request-Id, retry-after, ${legacy.replace(", Retry-After", "")}`,
    ],
  ] as const;
  const exposure = (reply: Reply): string | undefined => field(reply, "access-control-expose-headers");
  for (const [headers, fields, expected] of rows) {
    const site = await bench.site({ fields, limiters: [bench.limit({ headers, exposeHeaders: true, rate: 1 })] });
    const replies = await inTurn(2, () => site.get());
    assert.deepEqual(replies.map(exposure), [expected, expected]);
  }
  const silent = await bench.site({ limiters: [bench.limit()] });
  assert.equal(exposure(await silent.get()), undefined, "without the option");
});

const earlierFields = requirement("headers that the application set earlier stay, even on a refusal", async (bench) => {
  const site = await bench.site({ fields: { "X-Request-Id": "7", Vary: "Origin" }, limiters: [bench.limit({ rate: 1 })] });
  for (const reply of await inTurn(2, () => site.get())) {
    assert.equal(field(reply, "x-request-id"), "7");
    assert.equal(field(reply, "vary"), "Origin");
  }
});

export const whichRequests: readonly HttpRequirement[] = [
  exactPaths,
  excludedHead,
  mounted,
  unrouted,
  methods,
  preflights,
  skip,
  exposed,
  earlierFields,
];
