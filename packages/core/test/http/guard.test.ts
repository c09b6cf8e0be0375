import { type Backend, ManualClock, RateLimiter, type SyncBackend } from "@ratelimit/core";
import { createMiddlewares, type HttpRequest, type Limit } from "@ratelimit/core/adapter";
import type { RateLimitOptions } from "@ratelimit/core/http";
import { warningsOf } from "@ratelimit/testbed/warnings";
import { afterEach, describe, expect, test, vi } from "vitest";
import { LateBackend, tableBackend } from "../support/backends.ts";
import { createApiKeyGuard, createGuard, createUserGuard, type Outcome, RecordedExchange } from "./recorded-exchange.ts";

interface Request {
  readonly url?: string;
  readonly ip?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

function describeRequest(request: Request): HttpRequest {
  const { url = "/", headers = {} } = request;
  const ip = "ip" in request ? request.ip : "1.2.3.4";
  return { method: "GET", url, ip, socketAddress: ip, header: (name) => headers[name.toLowerCase()] };
}

const inProcess = (): SyncBackend => Object.assign(tableBackend(), { inProcess: true as const });

function guardOf(options: RateLimitOptions<Request>): (req: Request) => Outcome | Promise<Outcome> {
  return createGuard(options, describeRequest, inProcess);
}

describe("a guard", () => {
  test.each<[string, RateLimitOptions<Request>]>([
    ["an address", { rate: 1 }],
    ["a key", { rate: 1, key: () => "a" }],
    [
      "a cost, a skip, a plan",
      { limiter: () => new RateLimiter({ rate: 1, backend: inProcess(), name: String(Math.random()) }), cost: () => 1, skip: () => false },
    ],
    [
      "several limits and modes",
      {
        limits: [
          { name: "a", rate: 1 },
          { name: "b", rate: 2 },
        ],
        headers: ["legacy", "draft-8"],
        exposeHeaders: true,
      },
    ],
    ["a shadow", { rate: 1, shadow: true }],
    ["an excluded path", { rate: 1, excludePaths: ["/"] }],
  ])("creates no promise for %s, admitted or refused, if everything answers synchronously", (_, options) => {
    const guard = guardOf(options);
    for (const verdict of [guard({}), guard({})]) expect(verdict).not.toBeInstanceOf(Promise);
  });

  test("creates no promise for a user or an API key either", () => {
    expect(createUserGuard<Request>({ rate: 1 }, describeRequest, () => "ada", inProcess)({})).toMatchObject({ kind: "pass" });
    expect(createApiKeyGuard<Request>({ rate: 1 }, describeRequest, inProcess)({ headers: { "x-api-key": "a" } })).toMatchObject({
      kind: "pass",
    });
  });

  test("returns a promise if the backend is asynchronous", async () => {
    const verdict = guardOf({ rate: 1, backend: new LateBackend(), name: "late" })({});
    expect(verdict).toBeInstanceOf(Promise);
    expect(await verdict).toMatchObject({ kind: "pass" });
  });
});

test.each<[string, RateLimitOptions<Request>]>([
  ["admitted", { rate: 1 }],
  ["excluded", { rate: 1, excludePaths: ["/"] }],
  ["skipped", { rate: 1, skip: () => true }],
  ["in an allowed network", { rate: 1, allow: ["1.2.3.4"] }],
  ["without a limiter", { limiter: () => undefined }],
])("an error behind a request that is %s goes to `fail`", async (_, options) => {
  const behind = new Error("behind the limit");
  const failed: Error[] = [];
  class Failing extends RecordedExchange {
    override async proceed(): Promise<never> {
      throw behind;
    }
    override fail(error: Error): void {
      failed.push(error);
    }
  }
  const middleware = (limit: Limit<Request, []>) => async (req: Request) => limit.admit(req, new Failing(describeRequest(req)));
  const middlewares = createMiddlewares<Request, [], (req: Request) => Promise<unknown>>({
    userOf: () => undefined,
    defaultBackend: inProcess,
    middleware,
  });
  await middlewares.rateLimit(options)({});
  expect(failed).toEqual([behind]);
});

test("a refusal is a value: no Error is created for it", () => {
  const guard = guardOf({ rate: 1 });
  expect(guard({})).toMatchObject({ kind: "pass" });
  const capture = vi.spyOn(Error, "captureStackTrace");
  const made: unknown[] = [];
  const RealError = globalThis.Error;
  globalThis.Error = new Proxy(RealError, {
    construct(target, args) {
      made.push(args);
      return Reflect.construct(target, args) as object;
    },
  });
  try {
    expect(guard({})).toMatchObject({ kind: "refuse", status: 429 });
  } finally {
    globalThis.Error = RealError;
  }
  expect([made, capture.mock.calls]).toEqual([[], []]);
  capture.mockRestore();
});

test("requests without an address share one bucket, ip:unknown, and cause one warning", async () => {
  const asked: string[] = [];
  const take: Backend["take"] = (_scope, key) => {
    asked.push(key);
    return { allowed: true, used: 0 };
  };
  const guard = guardOf({ rate: 1, backend: { take, adjust: take, block() {}, reset() {}, close() {} }, name: "nobody" });
  const warnings = await warningsOf(async () => {
    for (const ip of [undefined, "unknown", "/var/run/socket"]) await guard({ ip });
  });
  expect(asked).toEqual(["ip:unknown", "ip:unknown", "ip:unknown"]);
  expect(warnings.map(({ code }) => code)).toEqual(["RATELIMIT_NO_ADDRESS"]);
});

test("a stored key reveals its kind, and with a secret nothing else", async () => {
  const asked: string[] = [];
  const take: Backend["take"] = (_scope, key) => {
    asked.push(key);
    return { allowed: true, used: 0 };
  };
  const backend: Backend = { take, adjust: take, block() {}, reset() {}, close() {} };
  for (const keySecret of [undefined, "0123456789abcdef", Buffer.alloc(32)])
    await guardOf({ rate: 1, backend, name: "kinds", key: () => "ada", keySecret })({});
  expect(asked[0]).toBe("key:ada");
  expect(new Set(asked).size).toBe(3);
  expect(asked.slice(1).every((key) => /^key:[0-9a-f]{64}$/.test(key))).toBe(true);
});

test("the decision shows all its fields, and keeps its methods out of JSON and spreads", async () => {
  const guard = guardOf({ rate: 5 });
  const verdict = await guard({});
  if (verdict.kind === "skip") throw new Error("not limited");
  const { result } = verdict;
  const fields = [
    "allowed",
    "limit",
    "burst",
    "remaining",
    "retryAfter",
    "resetAfter",
    "resetAt",
    "tightest",
    "limits",
    "cost",
    "source",
    "degraded",
    "name",
  ];
  expect(Object.keys({ ...result }).sort()).toEqual(fields.sort());
  expect(Object.keys(JSON.parse(JSON.stringify(result)) as object).sort()).toEqual(fields.sort());
  expect(result.all).toEqual([result]);
});

describe("a test runner's", () => {
  afterEach(() => void vi.useRealTimers());

  test("fake timers and clocks do not delay a decision", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "setInterval", "setImmediate", "queueMicrotask", "Date", "performance"] });
    const guard = guardOf({ rate: 1, period: 1 });
    expect(guard({})).toMatchObject({ kind: "pass" });
    expect(guard({})).toMatchObject({ kind: "refuse" });
  });
});

test("two copies of core in one process: a limiter from one works in a guard from the other", async () => {
  vi.resetModules();
  const copy = { ...(await import("@ratelimit/core")), ...(await import("@ratelimit/core/backend")) };
  expect(copy.RateLimiter).not.toBe(RateLimiter);
  const clock = new ManualClock();
  const limiter = new copy.RateLimiter({ rate: 1, backend: new copy.BucketTable(10, clock) });
  const guard = guardOf({ limiter: limiter, headers: "draft-8" });
  expect(guard({})).toMatchObject({ kind: "pass", headers: { RateLimit: '"default";r=0;t=60' } });
  expect(guard({})).toMatchObject({ kind: "refuse", status: 429 });
  const picking = guardOf({ limiter: () => limiter });
  expect(picking({})).toMatchObject({ kind: "refuse" });
});

test("two copies of core in one process: a request that passes a guard from each gets both headers and two charges", async () => {
  vi.resetModules();
  const copy = await import("./recorded-exchange.ts");
  expect((await import("@ratelimit/core/adapter")).createMiddlewares).not.toBe(createMiddlewares);
  const own = guardOf({ limits: [{ name: "own", rate: 5 }], headers: "draft-8" });
  const limits = [{ name: "other", rate: 2 }] as const;
  const other = copy.createGuard<Request>({ limits, headers: "draft-8" }, describeRequest, inProcess);
  const request = {};
  await own(request);
  const verdict = await other(request);
  expect(verdict).toMatchObject({ kind: "pass", headers: { RateLimit: '"own";r=4;t=48, "other";r=1;t=30' } });
  expect(await other(request)).toMatchObject({ headers: { RateLimit: '"own";r=4;t=48, "other";r=1;t=30' } });
  expect(verdict).toMatchObject({ result: { tightest: "other", all: [{ tightest: "own" }, { tightest: "other" }] } });
});
