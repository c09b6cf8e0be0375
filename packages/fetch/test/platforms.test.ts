import { getEventListeners } from "node:events";
import type { IncomingMessage } from "node:http";
import { ManualClock } from "@ratelimit/core";
import { limitByUser, MemoryBackend, RateLimiter, rateLimit } from "@ratelimit/fetch";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { keepGlobals, useHonoGlobals } from "./globals.ts";

function onClock(rate: number): { rate: number; backend: MemoryBackend } {
  return { rate, backend: new MemoryBackend({ clock: new ManualClock() }) };
}

const ask = (init?: RequestInit): Request => new Request("https://example.com/", init);

test("a WebSocket upgrade, a network error and Bun's `undefined` are passed on as they are", async () => {
  const limit = rateLimit({ ...onClock(9), ip: () => "192.0.2.1" });
  // Node cannot make one, but Deno and Workers answer upgrades with it.
  const upgrade = Object.defineProperty(new Response(null), "status", { value: 101 });
  for (const response of [upgrade, Response.error(), undefined]) expect(await limit(() => response)(ask())).toBe(response);
});

describe.each([
  ["the platform", keepGlobals],
  ["Hono's server for Node", useHonoGlobals],
])("with the Response of %s", (_, use) => {
  let globals: Disposable;
  beforeEach(() => {
    globals = use();
  });
  afterEach(() => globals[Symbol.dispose]());

  test("a response that several requests share keeps nothing of any of them", async () => {
    const notFound = new Response(null, { status: 404 });
    const handler = rateLimit({ ...onClock(9), ip: () => "192.0.2.1" })(() => notFound);
    const left = async (): Promise<string | null> => (await handler(ask())).headers.get("x-ratelimit-remaining");
    expect([await left(), await left(), [...notFound.headers]]).toEqual(["8", "7", []]);
  });

  test("a response with a body is not copied unless its headers are immutable, because servers send the body of a copy in chunks", async () => {
    const limit = rateLimit({ ...onClock(9), ip: () => "192.0.2.1" });
    const own = Response.json({ status: "ok" });
    expect(await limit(() => own)(ask())).toBe(own);
    expect(own.headers.get("x-ratelimit-remaining")).toBe("8");
    expect((await limit(() => own)(ask())).headers.get("x-ratelimit-remaining")).toBe("7");
    const fetched = await fetch("data:text/plain,fetched");
    const copy = await limit(() => fetched)(ask());
    expect([await copy.text(), copy.headers.get("content-type"), copy.headers.get("x-ratelimit-remaining")]).toEqual([
      "fetched",
      "text/plain",
      "6",
    ]);
  });
});

test("a refusal of HEAD has the headers of the body that it leaves out", async () => {
  const handler = rateLimit({ ...onClock(0), ip: () => "192.0.2.1" })(() => new Response("ok"));
  const [got, headed] = [await handler(ask()), await handler(ask({ method: "HEAD" }))];
  expect([headed.status, headed.body, [...headed.headers]]).toEqual([got.status, null, [...got.headers]]);
});

test("exposeHeaders adds to what a handler exposes, once, however many limits there are", async () => {
  const [outer, inner] = [rateLimit, rateLimit].map((make) => make({ ...onClock(9), ip: () => "192.0.2.1", exposeHeaders: true }));
  const own = { "Access-Control-Expose-Headers": "X-Own, retry-after" };
  const handler = inner?.(() => new Response("ok", { headers: own })) ?? (() => new Response());
  const response = await outer?.(handler)(ask());
  expect(response?.headers.get("access-control-expose-headers")).toBe(
    "X-Own, retry-after, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset",
  );
});

test("onLimited may return the response of another implementation of fetch", async () => {
  const foreign = Object.create(null) as Response;
  const real = new Response("later", { status: 420 });
  for (const name of ["status", "statusText", "headers", "body"] as const) Object.defineProperty(foreign, name, { value: real[name] });
  Object.defineProperty(foreign, Symbol.toStringTag, { value: "Response" });
  const response = await rateLimit({ ...onClock(0), ip: () => "192.0.2.1", onLimited: () => foreign })(() => real)(ask());
  expect([response.status, await response.text()]).toEqual([420, "later"]);
});

test("every callback gets what the platform passes along, after its own arguments", async () => {
  interface Context {
    readonly user: string;
    readonly address: string;
  }
  const seen: string[] = [];
  const see = <T>(name: string, args: readonly unknown[], answer: T): T => {
    seen.push(`${name} ${args.map(shown).join(" ")}`);
    return answer;
  };
  const limit = limitByUser<[context: Context]>({
    ...onClock(1),
    user: (...args) => see("user", args, args[1].user),
    ip: (...args) => see("ip", args, args[1].address),
    deny: ["192.0.2.9"],
    skip: (...args) => see("skip", args, false),
    cost: (...args) => see("cost", args, 1),
    refund: (...args) => see("refund", args, false),
    onLimited: (...args) => see("onLimited", args, undefined),
  });
  const handler = limit(() => new Response("ok"));
  const context = { user: "ada", address: "192.0.2.1" };
  await handler(ask(), context);
  expect(seen.splice(0)).toEqual(["skip R C", "ip R C", "user R C", "cost R C", "refund R 200 C"]);
  expect((await handler(ask(), context)).status).toBe(429);
  expect(seen.at(-1)).toBe("onLimited false R C");
  expect((await handler(ask(), { ...context, address: "192.0.2.9" })).status).toBe(403);
  expect((await handler(ask(), { ...context, user: "bob" })).status).toBe(200);

  function shown(arg: unknown): unknown {
    if (arg instanceof Request) return "R";
    if (typeof arg === "object" && arg !== null) return "allowed" in arg ? arg.allowed : "C";
    return arg;
  }
});

test("options that are no object, or come from a class, are read as elsewhere", async () => {
  for (const options of [undefined, null, [], 7])
    expect(() => rateLimit(options as never)).toThrow("Expected `options` to be an object of options");
  class Options {
    readonly #key = "one";
    readonly rate = 1;
    readonly backend = new MemoryBackend();
    get key(): () => string {
      return () => this.#key;
    }
  }
  const handler = rateLimit(new Options())(() => new Response("ok"));
  expect([(await handler(ask())).status, (await handler(ask())).status]).toEqual([200, 429]);
});

test.each([
  ["Deno", { remoteAddr: { transport: "tcp", hostname: "192.0.2.1", port: 1 } }],
  ["Bun", { requestIP: () => ({ address: "192.0.2.1", family: "IPv4", port: 1 }) }],
  ["Hono on Node", { incoming: { socket: { remoteAddress: "192.0.2.1" } } as IncomingMessage }],
])("%s says what the client's address is, and trust sets which proxies are believed", async (_, info: object) => {
  const forwarded = { headers: { "x-forwarded-for": "203.0.113.9" } };
  for (const [trust, address] of [
    [false, "192.0.2.1"],
    [["192.0.2.0/24"], "203.0.113.9"],
    [["10.0.0.0/8"], "192.0.2.1"],
  ] as const) {
    const backend = new MemoryBackend();
    const limiter = new RateLimiter({ rate: 9, backend });
    const handler = rateLimit({ limiter, trust })((_request: Request, _info: object) => new Response("ok"));
    await handler(ask(forwarded), info);
    expect((await limiter.peek(`ip:${address}`)).remaining).toBe(8);
  }
});

test("a platform whose address is not text is one without an address", async () => {
  const handler = rateLimit(onClock(1))((_request: Request, _env: object) => new Response("ok"));
  const stub: unknown = new Proxy(() => stub, { get: () => stub });
  expect((await handler(ask(), { incoming: stub, remoteAddr: stub })).status).toBe(200);
  expect((await handler(ask(), { requestIP: () => null })).status).toBe(429);
});

test("a proxy that nobody trusts causes one warning, and so does a request without an address", async () => {
  const codes: unknown[] = [];
  const hear = ({ code }: Error & { code?: string }): void => void codes.push(code);
  process.on("warning", hear);
  const forwarded = { headers: { "x-forwarded-for": "203.0.113.9" } };
  const handler = rateLimit(onClock(9))((_request: Request, _info: object) => new Response("ok"));
  await handler(ask(forwarded), { remoteAddr: { hostname: "10.0.0.1" } });
  await handler(ask(forwarded), { remoteAddr: { hostname: "10.0.0.1" } });
  await rateLimit({ ...onClock(9), trust: 1 })(() => new Response("ok"))(ask());
  await new Promise((resolve) => setImmediate(resolve));
  process.off("warning", hear);
  expect(codes).toContain("RATELIMIT_FORWARDED_IGNORED");
  expect(new Set(codes).size).toBe(codes.length);
});

test("a hang-up after the response has settled is none, and nothing listens for it", async () => {
  const seen: number[] = [];
  const abort = new AbortController();
  const options = { ...onClock(9), ip: () => "192.0.2.1", refundAborted: true };
  const limit = rateLimit({ ...options, refund: (_request, status) => seen.push(status) < 0 });
  const request = ask({ signal: abort.signal });
  await limit(() => new Response("ok"))(request);
  expect(getEventListeners(request.signal, "abort")).toEqual([]);
  abort.abort();
  expect(seen).toEqual([200]);
});

test("a refund outlives the response where the platform has waitUntil", async () => {
  const backend = new MemoryBackend({ clock: new ManualClock() });
  const lasting: Promise<unknown>[] = [];
  const context = { waitUntil: (promise: Promise<unknown>) => void lasting.push(promise) };
  const limit = rateLimit({ rate: 5, backend, ip: () => "192.0.2.1", refund: async (_request, status) => status < 400 });
  const handler = limit((_request: Request, _env: object, _context: typeof context) => new Response("ok"));
  const left = async (): Promise<string | null> => (await handler(ask(), {}, context)).headers.get("x-ratelimit-remaining");
  expect(await left()).toBe("4");
  expect(lasting.length).toBe(1);
  await Promise.all(lasting);
  expect(await left()).toBe("4");
});
