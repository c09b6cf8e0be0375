import assert from "node:assert/strict";
import { type Bench, type HttpRequirement, inTurn, requirement, route, type Site } from "./bench.ts";
import { field, type Reply, told } from "./client.ts";
import { assertQuotaExceeded, assertRefused, assertTold, retryIn } from "./expect.ts";
import { costing } from "./header-modes.ts";
import { answering } from "./table-backend.ts";

const refusal = requirement("a refusal is a 429 with exact problem details, and must not be cached", async (bench) => {
  const { spend } = await costing(bench);
  await spend(150);
  assertQuotaExceeded(await spend(1));
  assertQuotaExceeded(await spend(11), 7);
});

const anyMode = requirement("the body is the same in every header mode", async (bench) => {
  for (const headers of ["none", "draft-6", "draft-7", "draft-8", "draft-11"] as const) {
    const { spend } = await costing(bench, { headers });
    await spend(150);
    assertQuotaExceeded(await spend(1));
  }
});

const tooDear = requirement("a cost above the burst is refused for good, and does not lock the key", async (bench) => {
  const { spend } = await costing(bench);
  assertRefused(await spend(151), { detail: "This request costs more than the limit ever allows.", violated: ["default"] });
  assert.equal((await spend(150)).status, 200, "a cost that fits is admitted");
});

const violated = requirement("a refusal names exactly the limits that refused", async (bench) => {
  const limits = [
    { name: "small", rate: 2, period: 60 },
    { name: "large", rate: 5, period: 60 },
  ] as const;
  const { spend } = await costing(bench, { limits });
  await spend(2);
  assertQuotaExceeded(await spend(1), 30, ["small"]);
  assertRefused(await spend(6), {
    detail: "This request costs more than the limit ever allows.",
    violated: ["small", "large"],
  });
});

const nothingElse = requirement("a refusal by one limit charges no other", async (bench) => {
  const limits = [
    { name: "small", rate: 1, period: 1 },
    { name: "large", rate: 5, period: 3600 },
  ] as const;
  const { spend } = await costing(bench, { limits, headers: "draft-8" });
  await inTurn(10, () => spend(1));
  assertTold(await spend(0), ['RateLimit-Policy: "small";q=1;w=1, "large";q=5;w=3600', 'RateLimit: "small";r=0;t=1, "large";r=4;t=2880']);
});

const closed = requirement(
  "a request refused due to an outage gets a 503 with Retry-After: 1 and no other rate limit header",
  async (bench) => {
    for (const headers of ["legacy", "draft-6", "draft-7", "draft-8", "none"] as const) {
      const backend = answering(() => ({ allowed: false, used: 0, source: "closed" }));
      const site = await bench.site({ limiters: [bench.limit({ headers, backend, name: "closed" })] });
      const reply = await site.get();
      assertRefused(reply, { status: 503, detail: retryIn(1), retryAfter: 1 });
      assertTold(reply, ["Retry-After: 1"], headers);
    }
  },
);

const open = requirement("a request admitted uncounted due to an outage gets no rate limit headers", async (bench) => {
  for (const headers of ["legacy", "draft-6", "draft-7", "draft-8", "none"] as const) {
    const backend = answering(() => ({ allowed: true, used: 0, source: "open" }));
    const site = await bench.site({ limiters: [bench.limit({ headers, backend, name: "open" })] });
    const reply = await site.get();
    assert.equal(reply.status, 200);
    assertTold(reply, [], headers);
  }
});

const head = requirement("HEAD costs the same as GET and gets the same answer without a body", async (bench) => {
  const { site, spend } = await costing(bench);
  const ask = (): Promise<Reply> => site.request({ method: "HEAD", headers: { "X-Cost": "1" } });
  const [first, second] = [await ask(), await spend(1)];
  assertTold(first, ["X-RateLimit-Limit: 100", "X-RateLimit-Remaining: 100", "X-RateLimit-Reset: 1795521601"]);
  assert.equal(field(second, "x-ratelimit-reset"), "1795521602", "HEAD took one token, no more and no less");
  await spend(148);
  const [got, headed] = [await spend(1), await ask()];
  assert.equal(headed.status, 429);
  assert.equal(headed.body, "");
  assert.deepEqual(told(headed), told(got));
  for (const name of ["content-type", "content-length", "cache-control"]) assert.equal(field(headed, name), field(got, name), name);
});

const keepAlive = requirement("a connection survives refusals, even of HEAD, and pipelined answers stay apart", async (bench) => {
  const site = await bench.site({ limiters: [bench.limit({ rate: 2, burst: 2 })] });
  const answer = await site.exchange(
    ["GET", "GET", "HEAD", "GET"].map((method) => `${method} / HTTP/1.1\r\nHost: a\r\n\r\n`).join("") + lastRequest,
  );
  const lines = answer.match(/HTTP\/1\.1 \d{3}[^\r]*/g);
  assert.deepEqual(lines, ["HTTP/1.1 200 OK", "HTTP/1.1 200 OK", ...Array<string>(3).fill("HTTP/1.1 429 Too Many Requests")]);
  assert.equal(answer.match(/"title":"Quota Exceeded"/g)?.length, 2, "bodies of the two refused GETs");
});

const lastRequest = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

const notCalled = requirement("a refused request does not reach its handler", async (bench) => {
  let calls = 0;
  const handler = (): { status: number; body: string } => ({ status: 200, body: String(++calls) });
  const site = await bench.site({ limiters: [bench.limit({ rate: 1 })], routes: [route("/", [], handler)] });
  await inTurn(3, () => site.get());
  assert.equal(calls, 1);
});

const ownPage = requirement(
  "onLimited writes the refusal: status and headers are already set, and its own type and body are sent",
  async (bench) => {
    const site = await limitedByPage(bench);
    await site.get();
    const reply = await site.get();
    assert.equal(reply.status, 418);
    assert.equal(reply.body, '{"sorry":"0 left, 60 s, GET"}');
    assert.match(field(reply, "content-type") ?? "", /^application\/json/);
    assert.equal(field(reply, "content-length"), String(reply.body.length));
    assert.equal(field(reply, "cache-control"), "no-store");
    assertTold(reply, ["X-RateLimit-Limit: 1", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1795521660", "Retry-After: 60"]);
  },
);

function limitedByPage(bench: Bench): Promise<Site> {
  const limiter = bench.limit({ rate: 1 });
  return bench.site({
    limiters: [
      {
        ...limiter,
        onLimited: ({ remaining, retryAfter }, { method }) => ({
          status: 418,
          body: { sorry: `${remaining} left, ${retryAfter} s, ${method}` },
        }),
      },
    ],
  });
}

export const refusals: readonly HttpRequirement[] = [
  refusal,
  anyMode,
  tooDear,
  violated,
  nothingElse,
  closed,
  open,
  head,
  keepAlive,
  notCalled,
  ownPage,
];
