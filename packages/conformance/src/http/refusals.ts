import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { field, limitFields, type Reply } from "./client.ts";
import { assertLimitFields, assertQuotaExceeded, assertRefused, retryIn } from "./expect.ts";
import { costing } from "./header-modes.ts";
import { type Fixture, type HttpRequirement, inTurn, requirement, route, type Site } from "./requirement.ts";
import { answering } from "./table-backend.ts";

const refusal = requirement("a refusal is a 429 with exact problem details, and must not be cached", async (fixture) => {
  const { spend } = await costing(fixture);
  await spend(150);
  assertQuotaExceeded(await spend(1));
  assertQuotaExceeded(await spend(11), 7);
});

const anyMode = requirement("the body is the same in every header mode", async (fixture) => {
  for (const headers of ["none", "draft-6", "draft-7", "draft-8", "draft-11"] as const) {
    const { spend } = await costing(fixture, { headers });
    await spend(150);
    assertQuotaExceeded(await spend(1));
  }
});

const tooDear = requirement("a cost above the burst is refused for good with a 403, and does not lock the key", async (fixture) => {
  const { spend } = await costing(fixture);
  assertRefused(await spend(151), { kind: "impossible", detail: "This request costs more than the limit ever allows." });
  assert.equal((await spend(150)).status, 200, "a cost that fits is admitted");
});

const violated = requirement("a refusal names exactly the limits that refused", async (fixture) => {
  const limits = [
    { name: "small", rate: 2, period: 60 },
    { name: "large", rate: 5, period: 60 },
  ] as const;
  const { spend } = await costing(fixture, { limits });
  await spend(2);
  assertQuotaExceeded(await spend(1), 30, ["small"]);
  assertRefused(await spend(6), { kind: "impossible", detail: "This request costs more than the limit ever allows." });
});

const nothingElse = requirement("a refusal by one limit charges no other", async (fixture) => {
  const limits = [
    { name: "small", rate: 1, period: 1 },
    { name: "large", rate: 5, period: 3600 },
  ] as const;
  const { spend } = await costing(fixture, { limits, headers: "draft-8" });
  await inTurn(10, () => spend(1));
  assertLimitFields(await spend(0), [
    'RateLimit-Policy: "small";q=1;w=1, "large";q=5;w=3600',
    'RateLimit: "small";r=0;t=1, "large";r=4;t=2880',
  ]);
});

const closed = requirement(
  "a request refused due to an outage gets a 503 with Retry-After: 1 and no other rate limit header",
  async (fixture) => {
    for (const headers of ["legacy", "draft-6", "draft-7", "draft-8", "none"] as const) {
      const backend = answering(() => ({ allowed: false, used: 0, source: "closed" }));
      const site = await fixture.site({ limiters: [fixture.limit({ headers, backend, name: "closed" })] });
      const reply = await site.get();
      assertRefused(reply, { kind: "closed", detail: retryIn(1), retryAfter: 1 });
      assertLimitFields(reply, ["Retry-After: 1"], headers);
    }
  },
);

const open = requirement("a request admitted uncounted due to an outage gets no rate limit headers", async (fixture) => {
  for (const headers of ["legacy", "draft-6", "draft-7", "draft-8", "none"] as const) {
    const backend = answering(() => ({ allowed: true, used: 0, source: "open" }));
    const site = await fixture.site({ limiters: [fixture.limit({ headers, backend, name: "open" })] });
    const reply = await site.get();
    assert.equal(reply.status, 200);
    assertLimitFields(reply, [], headers);
  }
});

const head = requirement("HEAD costs the same as GET and gets the same answer without a body", async (fixture) => {
  const { site, spend } = await costing(fixture);
  const ask = (): Promise<Reply> => site.request({ method: "HEAD", headers: { "X-Cost": "1" } });
  const [first, second] = [await ask(), await spend(1)];
  assertLimitFields(first, ["X-RateLimit-Limit: 100", "X-RateLimit-Remaining: 100", "X-RateLimit-Reset: 1795521601"]);
  assert.equal(field(second, "x-ratelimit-reset"), "1795521602", "HEAD took one token, no more and no less");
  await spend(148);
  const [got, headed] = [await spend(1), await ask()];
  assert.equal(headed.status, 429);
  assert.equal(headed.body, "");
  assert.deepEqual(limitFields(headed), limitFields(got));
  for (const name of ["content-type", "content-length", "cache-control"]) assert.equal(field(headed, name), field(got, name), name);
});

const keepAlive = requirement("a connection survives refusals, even of HEAD, and pipelined answers stay apart", async (fixture) => {
  const site = await fixture.site({ limiters: [fixture.limit({ rate: 2, burst: 2 })] });
  const answer = await site.exchange(
    ["GET", "GET", "HEAD", "GET"].map((method) => `${method} / HTTP/1.1\r\nHost: a\r\n\r\n`).join("") + lastRequest,
  );
  const lines = answer.match(/HTTP\/1\.1 \d{3}[^\r]*/g);
  assert.deepEqual(lines, ["HTTP/1.1 200 OK", "HTTP/1.1 200 OK", ...Array<string>(3).fill("HTTP/1.1 429 Too Many Requests")]);
  assert.equal(answer.match(/"title":"Quota Exceeded"/g)?.length, 2, "bodies of the two refused GETs");
});

const lastRequest = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

const notCalled = requirement("a refused request does not reach its handler", async (fixture) => {
  let calls = 0;
  const handler = (): { status: number; body: string } => ({ status: 200, body: String(++calls) });
  const site = await fixture.site({ limiters: [fixture.limit({ rate: 1 })], routes: [route("/", [], handler)] });
  await inTurn(3, () => site.get());
  assert.equal(calls, 1);
});

const ownPage = requirement(
  "onLimited writes the refusal: status and headers are already set, and its own type and body are sent",
  async (fixture) => {
    const site = await limitedByPage(fixture);
    await site.get();
    const reply = await site.get();
    assert.equal(reply.status, 418);
    assert.equal(reply.body, '{"sorry":"0 left, 60 s, GET"}');
    assert.match(field(reply, "content-type") ?? "", /^application\/json/);
    assert.equal(field(reply, "content-length"), String(reply.body.length));
    assert.equal(field(reply, "cache-control"), "no-store");
    assertLimitFields(reply, ["X-RateLimit-Limit: 1", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1795521660", "Retry-After: 60"]);
  },
);

function limitedByPage(fixture: Fixture): Promise<Site> {
  const limiter = fixture.limit({ rate: 1 });
  return fixture.site({
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

const observed = requirement("onLimited may only observe: the default refusal is sent once it is done", async (fixture) => {
  for (const onLimited of [() => undefined, () => Promise.resolve(undefined)]) {
    let seen = 0;
    const observe = (): ReturnType<typeof onLimited> => {
      seen++;
      return onLimited();
    };
    const site = await fixture.site({ limiters: [{ ...fixture.limit({ rate: 1 }), onLimited: observe }] });
    await site.get();
    assertQuotaExceeded(await site.get(), 60);
    assert.equal(seen, 1);
    fixture.renew();
  }
});

const returned = requirement("onLimited may return the body of the refusal", async (fixture) => {
  const site = await fixture.site({ limiters: [{ ...fixture.limit({ rate: 1 }), onLimited: ({ retryAfter }) => `wait ${retryAfter} s` }] });
  await site.get();
  const reply = await site.get();
  assert.equal(`${reply.status} ${reply.body}`, "429 wait 60 s");
  assert.equal(field(reply, "retry-after"), "60");
});

const thrown = requirement("an onLimited that throws is answered with the status and headers of the refusal", async (fixture) => {
  const errors: readonly (readonly [error: unknown, status: number])[] = [
    [new Error("of onLimited"), 429],
    [Object.assign(new Error("of onLimited"), { status: 503, statusCode: 503 }), 503],
  ];
  for (const [error, status] of errors)
    for (const onLimited of [() => Promise.reject(error), () => thrownBy(error)]) {
      const site = await fixture.site({ limiters: [{ ...fixture.limit({ rate: 1 }), onLimited }] });
      await site.get();
      const reply = await site.get();
      assert.equal(reply.status, status);
      const fields = ["X-RateLimit-Limit: 1", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1795521660", "Retry-After: 60"];
      assertLimitFields(reply, fields, String(status));
      assert.equal(field(reply, "cache-control"), "no-store");
      fixture.renew();
    }
});

function thrownBy(error: unknown): never {
  throw error;
}

const representation = requirement("a refusal drops fields that describe another body", async (fixture) => {
  const fields = {
    ...{ ETag: '"abc"', "Last-Modified": "Tue, 24 Nov 2026 12:00:00 GMT", Expires: "Tue, 24 Nov 2026 13:00:00 GMT" },
    ...{ "Content-Language": "de", "Content-Disposition": "attachment", "Cache-Control": "public, max-age=60", "X-Kept": "yes" },
    ...{ "CDN-Cache-Control": "max-age=600", "Surrogate-Control": "max-age=600" },
  };
  const site = await fixture.site({ fields, limiters: [fixture.limit({ rate: 1 })] });
  assert.equal(field(await site.get(), "etag"), '"abc"');
  const reply = await site.get();
  assertQuotaExceeded(reply, 60);
  for (const name of Object.keys(fields))
    assert.equal(field(reply, name.toLowerCase()), { "Cache-Control": "no-store", "X-Kept": "yes" }[name], name);
});

const encoding = requirement("a refusal is not sent as if it were compressed", async (fixture) => {
  const early = (res: ServerResponse): void => void res.setHeader("Content-Encoding", "gzip");
  const site = await fixture.site({ early, limiters: [fixture.limit({ rate: 0 })] });
  const reply = await site.get();
  assert.equal(field(reply, "content-encoding"), undefined);
  assertRefused(reply, { kind: "impossible", detail: "This request costs more than the limit ever allows." });
});

const framing = requirement("a refusal is sent with its length, even if the answer was to be sent in chunks", async (fixture) => {
  const early = (res: ServerResponse): void => void res.setHeader("Transfer-Encoding", "chunked");
  const site = await fixture.site({ early, limiters: [fixture.limit({ rate: 0 })] });
  const reply = await site.get();
  assert.equal(field(reply, "transfer-encoding"), undefined);
  assert.equal(field(reply, "content-length"), String(Buffer.byteLength(reply.body)));
});

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
  observed,
  returned,
  thrown,
  representation,
  encoding,
  framing,
];
