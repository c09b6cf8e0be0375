import { serve as serveNode } from "@hono/node-server";
import { ManualClock } from "@ratelimit/core";
import { limitByApiKey, limitByUser, MemoryBackend, RateLimitExceeded, RateLimiter, rateLimit, rateLimitOf } from "@ratelimit/fetch";
import { Hono } from "hono";
import { afterAll, describe, expect, expectTypeOf, test } from "vitest";
import { keepGlobals } from "./globals.ts";

const globals = keepGlobals();
afterAll(() => globals[Symbol.dispose]());

const ok = async (): Promise<Response> => new Response("ok");

function onClock(rate: number): { rate: number; backend: MemoryBackend; trust: number } {
  return { rate, backend: new MemoryBackend({ clock: new ManualClock() }), trust: 1 };
}

function from(address: string, init: RequestInit = {}): Request {
  return new Request("https://example.com/", { ...init, headers: { "x-forwarded-for": address } });
}

test("a limited handler adds the headers, and answers refusals by itself", async () => {
  let calls = 0;
  const handler = rateLimit(onClock(1))(async () => Response.json({ calls: ++calls }, { status: 201, headers: { "x-own": "yes" } }));
  const first = await handler(from("192.0.2.1"));
  expect([first.status, first.headers.get("x-ratelimit-limit"), first.headers.get("x-own")]).toEqual([201, "1", "yes"]);
  expect(await first.json()).toEqual({ calls: 1 });
  const second = await handler(from("192.0.2.1"));
  expect([second.status, second.headers.get("retry-after"), second.headers.get("content-type")]).toEqual([
    429,
    "60",
    "application/problem+json",
  ]);
  expect((await handler(from("192.0.2.2"))).status).toBe(201);
  expect(calls).toBe(2);
});

test("responses whose headers are immutable get the headers too", async () => {
  const redirect = await rateLimit(onClock(5))(async () => Response.redirect("https://example.com/next", 302))(from("192.0.2.1"));
  expect([redirect.status, redirect.headers.get("location"), redirect.headers.get("x-ratelimit-remaining")]).toEqual([
    302,
    "https://example.com/next",
    "4",
  ]);
});

test("a streamed body is passed on as a stream", async () => {
  let pulled = 0;
  const stream = new ReadableStream<Uint8Array>(
    { pull: (controller) => (++pulled > 3 ? controller.close() : controller.enqueue(new TextEncoder().encode(String(pulled)))) },
    { highWaterMark: 0 },
  );
  const response = await rateLimit(onClock(5))(async () => new Response(stream))(from("192.0.2.1"));
  expect(pulled).toBe(0);
  expect(await response.text()).toBe("123");
});

test("the decision is found by the request, and charges the right bucket", async () => {
  const limit = rateLimit({ ...onClock(10), name: "llm" });
  const handler = limit(async (request) => {
    expectTypeOf(rateLimitOf(request)?.remaining).toEqualTypeOf<number | undefined>();
    return Response.json((await rateLimitOf(request)?.of("llm")?.charge(4))?.remaining);
  });
  expect(await (await handler(from("192.0.2.1"))).json()).toBe(5);
  expect(rateLimitOf(from("192.0.2.1"))).toBeUndefined();
});

test("what the platform passes along reaches the handler, with its types", async () => {
  const handler = rateLimit(onClock(10))(async (request: Request, context: { params: { id: string } }) => {
    expectTypeOf(context.params.id).toEqualTypeOf<string>();
    return new Response(`${new URL(request.url).pathname} ${context.params.id}`);
  });
  expect(await (await handler(from("192.0.2.1"), { params: { id: "7" } })).text()).toBe("/ 7");
});

describe("the client's address", () => {
  const limit = (): ReturnType<typeof rateLimit> => rateLimit({ ...onClock(1), trust: false });

  test("comes from Deno's second argument", async () => {
    const handler = limit()(async (_request: Request, _info: object) => new Response("ok"));
    const at = (hostname: string): object => ({ remoteAddr: { transport: "tcp", hostname, port: 1 } });
    const ask = async (hostname: string): Promise<number> => (await handler(new Request("http://a/"), at(hostname))).status;
    expect([await ask("192.0.2.1"), await ask("192.0.2.1"), await ask("2001:db8::1"), await ask("2001:db8::2")]).toEqual([
      200, 429, 200, 429,
    ]);
  });

  test("comes from Bun's second argument", async () => {
    const handler = limit()(async (_request: Request, _server: object) => new Response("ok"));
    const server = (address: string): object => ({ requestIP: () => ({ address, family: "IPv4", port: 1 }) });
    const ask = async (address: string): Promise<number> => (await handler(new Request("http://a/"), server(address))).status;
    expect([await ask("192.0.2.1"), await ask("192.0.2.1"), await ask("192.0.2.2")]).toEqual([200, 429, 200]);
  });

  test("comes from a platform's header with `ip`", async () => {
    const handler = rateLimit({ ...onClock(1), ip: (request) => request.headers.get("cf-connecting-ip") ?? undefined })(ok);
    const ask = async (address: string): Promise<number> =>
      (await handler(new Request("http://a/", { headers: { "cf-connecting-ip": address } }))).status;
    expect([await ask("192.0.2.1"), await ask("192.0.2.1"), await ask("192.0.2.2")]).toEqual([200, 429, 200]);
  });
});

test("onLimited may return a response, a body, or nothing", async () => {
  for (const [answer, expected] of [
    [() => new Response("later", { status: 420 }), "420 later 60"],
    [() => "later", "429 later 60"],
    [() => ({ error: "later" }), '429 {"error":"later"} 60'],
  ] as const) {
    const handler = rateLimit({ ...onClock(1), onLimited: answer })(ok);
    await handler(from("192.0.2.1"));
    const response = await handler(from("192.0.2.1"));
    expect(`${response.status} ${await response.text()} ${response.headers.get("retry-after")}`).toBe(expected);
  }
});

test("RateLimitExceeded thrown by the handler is answered like a refusal; other errors are the platform's", async () => {
  const limiter = new RateLimiter({ name: "export", rate: 1, backend: new MemoryBackend() });
  const handler = rateLimit({ ...onClock(10), headers: "draft-8" })(async () => {
    await limiter.enforce("job");
    return new Response("done");
  });
  await handler(from("192.0.2.1"));
  const refused = await handler(from("192.0.2.1"));
  expect([refused.status, refused.headers.get("content-type"), refused.headers.get("cache-control")]).toEqual([
    429,
    "application/problem+json",
    "no-store",
  ]);
  expect(refused.headers.get("ratelimit-policy")).toBe('"default";q=10;w=60, "export";q=1;w=60');
  const failing = rateLimit(onClock(10))(() => Promise.reject(new Error("of the handler")));
  await expect(failing(from("192.0.2.1"))).rejects.toThrow("of the handler");
  expect(new RateLimitExceeded({ limit: 1, retryAfter: 1 }).status).toBe(429);
});

test("refund sees the response's status, the status of an error, and 499 if the platform aborts the request", async () => {
  const seen: number[] = [];
  const abort = new AbortController();
  const options = { ...onClock(10), refundAborted: true, refund: (_: Request, status: number) => seen.push(status) < 0 };
  const limit = rateLimit(options);
  await limit(async () => new Response("no", { status: 401 }))(from("192.0.2.1"));
  await limit(() => Promise.reject(Object.assign(new Error("busy"), { status: 503 })))(from("192.0.2.1")).catch(() => {});
  await limit(async () => {
    abort.abort();
    return new Response("late");
  })(from("192.0.2.1", { signal: abort.signal }));
  expect(seen).toEqual([401, 503, 499]);
});

test("limitByUser needs a function that finds the user, and limitByApiKey reads the header", async () => {
  const byUser = limitByUser({ ...onClock(1), user: (request) => request.headers.get("x-user") })(ok);
  const byKey = limitByApiKey(onClock(1))(ok);
  const ask = async (handler: typeof byUser, name: string, value: string): Promise<number> =>
    (await handler(new Request("http://a/", { headers: { [name]: value } }))).status;
  expect([await ask(byUser, "x-user", "ada"), await ask(byUser, "x-user", "ada"), await ask(byUser, "x-user", "bob")]).toEqual([
    200, 429, 200,
  ]);
  expect([await ask(byKey, "x-api-key", "a"), await ask(byKey, "x-api-key", "a"), await ask(byKey, "x-api-key", "b")]).toEqual([
    200, 429, 200,
  ]);
  // @ts-expect-error: a fetch request has no user of its own
  expect(() => limitByUser({ rate: 1 })).not.toThrow();
});

test("in Hono, a middleware of three lines limits all routes, and keeps what other middleware sets", async () => {
  const app = new Hono();
  const limit = rateLimit({ rate: 2, ip: (request) => request.headers.get("x-real-ip") ?? undefined });
  app.use(async (c, next) => {
    c.res = await limit(async () => {
      await next();
      return c.res;
    })(c.req.raw);
  });
  app.use(async (c, next) => {
    c.header("x-own", "yes");
    await next();
  });
  app.get("/", (c) => c.json({ left: rateLimitOf(c.req.raw)?.remaining }));
  const port = await new Promise<number>((resolve) => {
    const server = serveNode({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, ({ port }) => resolve(port));
    server.unref();
  });
  const get = (): Promise<Response> => fetch(`http://127.0.0.1:${port}/`, { headers: { "x-real-ip": "192.0.2.1" } });
  const replies = [await get(), await get(), await get()];
  expect(replies.map(({ status }) => status)).toEqual([200, 200, 429]);
  expect(await replies[0]?.json()).toEqual({ left: 1 });
  expect(replies.map(({ headers }) => headers.get("x-own"))).toEqual(["yes", "yes", null]);
  expect(replies[1]?.headers.get("x-ratelimit-remaining")).toBe("0");
});
