import assert from "node:assert/strict";
import { field, limitFields, type Reply } from "./client.ts";
import { type HttpRequirement, inTurn, requirement, route, statuses } from "./requirement.ts";

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
    "http://a;b/health",
    "http://health",
    "/\\health",
  ],
];

const exactPaths = requirement("excludePaths: matches exactly the path, and never one that only looks like it", async (fixture) => {
  const site = await fixture.site({ limiters: [fixture.limit({ excludePaths: ["/health"] })], routes: [route("/"), route("/health")] });
  const describePath = async (path: string): Promise<string> => {
    fixture.backend.asked.length = 0;
    const reply = await site.get(path);
    assert.equal(limitFields(reply).length > 0, fixture.backend.asked.length > 0, `${path}: exactly the counted requests get headers`);
    return `${path} ${fixture.backend.asked.length}`;
  };
  const lines: string[] = [];
  for (const path of [...excluded, ...counted]) lines.push(await describePath(path));
  assert.deepEqual(lines, [...excluded.map((path) => `${path} 0`), ...counted.map((path) => `${path} 1`)]);
});

const excludedHead = requirement("excludePaths: applies to every method", async (fixture) => {
  const site = await fixture.site({ limiters: [fixture.limit({ excludePaths: ["/health"] })], routes: [route("/health")] });
  for (const method of ["GET", "HEAD", "POST", "OPTIONS"])
    assert.deepEqual(limitFields(await site.request({ method, path: "/health" })), [], method);
  assert.deepEqual(fixture.backend.asked, []);
});

const mounted = requirement("excludePaths: in a mounted application, matches the whole path", async (fixture) => {
  const limiters = [fixture.limit({ excludePaths: ["/api/health", "/status"] })];
  const site = await fixture.site({ mount: "/api", limiters, routes: ["/health", "/status"].map((path) => route(path)) });
  assert.deepEqual(limitFields(await site.get("/api/health?x")), []);
  assert.equal(limitFields(await site.get("/api/status")).length, 3);
  assert.equal(fixture.backend.asked.length, 1);
});

const unrouted = requirement("requests without a route count too, and get headers", async (fixture) => {
  const site = await fixture.site({ limiters: [fixture.limit({ rate: 2, burst: 2 })] });
  const replies = await inTurn(4, (i) => site.get(`/nothing-${i}`));
  assert.deepEqual(statuses(replies), [404, 404, 429, 429]);
  assert.deepEqual(
    replies.map((reply) => field(reply, "x-ratelimit-remaining")),
    ["1", "0", "0", "0"],
  );
});

const methods = requirement("every method counts", async (fixture) => {
  const site = await fixture.site({ limiters: [fixture.limit()] });
  const all = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "PURGE", "QUERY"].filter(
    (method) => method !== "QUERY",
  );
  for (const method of all) assert.ok((await site.request({ method })).status < 500, method);
  assert.equal(fixture.backend.asked.length, all.length);
});

const preflight = { Origin: "https://a.example", "Access-Control-Request-Method": "PUT" };

const preflights = requirement(
  "skipPreflight: CORS preflights pass without taking a token, other OPTIONS requests take one",
  async (fixture) => {
    const rows = [
      [false, "OPTIONS", preflight, 1],
      [true, "OPTIONS", preflight, 0],
      [true, "OPTIONS", {}, 1],
      [true, "OPTIONS", { Origin: "https://a.example" }, 1],
      [true, "OPTIONS", { "Access-Control-Request-Method": "PUT" }, 1],
      [true, "GET", preflight, 1],
    ] as const;
    for (const [skipPreflight, method, headers, asked] of rows) {
      const site = await fixture.site({ limiters: [fixture.limit({ skipPreflight })] });
      const reply = await site.request({ method, headers });
      assert.equal(fixture.backend.asked.splice(0).length, asked, `${method} ${Object.keys(headers)}`);
      assert.equal(limitFields(reply).length, asked * 3);
    }
  },
);

const skip = requirement("skip: true lets a request pass, false does not, anything else is an error", async (fixture) => {
  const given: readonly unknown[] = [
    true,
    Promise.resolve(true),
    false,
    Promise.resolve(false),
    undefined,
    "yes",
    1,
    Promise.resolve("yes"),
  ];
  const site = await fixture.site({ limiters: [fixture.limit({ skip: ({ headers }) => given[Number(headers["x-row"])] as never })] });
  const replies = await inTurn(given.length, (i) => site.get("/", { "X-Row": String(i) }));
  assert.deepEqual(
    replies.map((reply) => limitFields(reply).length),
    [0, 0, 3, 3, 0, 0, 0, 0],
  );
  assert.deepEqual(statuses(replies), [200, 200, 200, 200, 500, 500, 500, 500]);
  assert.equal(fixture.backend.asked.length, 2);
});

const exposed = requirement("exposeHeaders: appends the headers that are sent to Access-Control-Expose-Headers", async (fixture) => {
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
    const site = await fixture.site({ fields, limiters: [fixture.limit({ headers, exposeHeaders: true, rate: 1 })] });
    const replies = await inTurn(2, () => site.get());
    assert.deepEqual(replies.map(exposure), [expected, expected]);
  }
  const silent = await fixture.site({ limiters: [fixture.limit()] });
  assert.equal(exposure(await silent.get()), undefined, "without the option");
});

const earlierFields = requirement("headers that the application set earlier stay, even on a refusal", async (fixture) => {
  const site = await fixture.site({ fields: { "X-Request-Id": "7", Vary: "Origin" }, limiters: [fixture.limit({ rate: 1 })] });
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
