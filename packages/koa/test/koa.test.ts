import http2 from "node:http2";
import type { AddressInfo } from "node:net";
import Router from "@koa/router";
import { listen, type Served } from "@ratelimit/conformance";
import { limitByUser, type RateLimitState, rateLimit } from "@ratelimit/koa";
import Koa, { type Middleware } from "koa";
import mount from "koa-mount";
import { afterEach, expect, test } from "vitest";

const open: Served[] = [];
afterEach(() => Promise.all(open.splice(0).map((served) => served.close())));

/** Starts an app with these middlewares that prints no errors. */
async function start(...middlewares: readonly Middleware[]): Promise<(path: string, init?: RequestInit) => Promise<Response>> {
  const app = new Koa();
  app.silent = true;
  for (const middleware of middlewares) app.use(middleware);
  const handle = app.callback();
  const served = await listen((req, res) => handle(req, res));
  open.push(served);
  return (path, init) => fetch(`http://127.0.0.1:${served.port}${path}`, init);
}

async function statuses(get: (path: string) => Promise<Response>, ...paths: readonly string[]): Promise<number[]> {
  const found: number[] = [];
  for (const path of paths) found.push((await get(path)).status);
  return found;
}

function routes(router: Router): Middleware {
  return router.routes() as unknown as Middleware;
}

const ok: Middleware = (ctx) => {
  ctx.body = "ok";
};

test("one middleware has one budget: on two routes, in a nested router and in a mounted app", async () => {
  const limit = rateLimit({ rate: 4 });
  const nested = new Router().get("/c", limit, ok);
  const router = new Router().get("/a", limit, ok).get("/b", limit, ok).use("/router", nested.routes());
  const inner = new Koa().use(limit).use(ok);
  const get = await start(routes(router), mount("/app", inner));
  expect(await statuses(get, "/a", "/b", "/router/c", "/app/d", "/a", "/router/c")).toEqual([200, 200, 200, 200, 429, 429]);
});

test("two middlewares with the same policy have two budgets", async () => {
  const router = new Router().get("/a", rateLimit({ rate: 1 }), ok).get("/b", rateLimit({ rate: 1 }), ok);
  expect(await statuses(await start(routes(router)), "/a", "/b", "/a", "/b")).toEqual([200, 200, 429, 429]);
});

test("a middleware that a request passes twice charges it once", async () => {
  const limit = rateLimit({ rate: 2 });
  const router = new Router().use(limit).get("/", limit, ok);
  expect(await statuses(await start(limit, routes(router)), "/", "/", "/")).toEqual([200, 200, 429]);
});

test("excludePaths matches whole paths in apps mounted in mounted apps", async () => {
  const limit = rateLimit({ rate: 1, excludePaths: ["/v1/app/health"] });
  const inner = new Koa().use(limit).use(ok);
  const get = await start(mount("/v1", new Koa().use(mount("/app", inner))));
  expect(await statuses(get, "/v1/app/health", "/v1/app/health?x", "/v1/app/", "/v1/app/")).toEqual([200, 200, 200, 429]);
});

test("an error keeps its own headers and gets the rate-limit headers", async () => {
  const get = await start(rateLimit({ rate: 5 }), (ctx) => ctx.throw(401, "who?", { headers: { "WWW-Authenticate": "Basic" } }));
  const { status, headers } = await get("/");
  expect([status, headers.get("www-authenticate"), headers.get("x-ratelimit-remaining")]).toEqual([401, "Basic", "4"]);
});

test("the rate-limit headers survive if the app catches errors itself", async () => {
  const catching: Middleware = async (ctx, next) => {
    try {
      await next();
    } catch {
      ctx.status = 418;
      ctx.body = "mine";
    }
  };
  const failing: Middleware = () => Promise.reject(new Error("of the handler"));
  const { status, headers } = await (await start(catching, rateLimit({ rate: 5 }), failing))("/");
  expect([status, headers.get("x-ratelimit-remaining")]).toEqual([418, "4"]);
});

test("a frozen error, or one that is not an object, passes through unchanged", async () => {
  const caught: unknown[] = [];
  const catching: Middleware = async (_ctx, next) => {
    await next().catch((error: unknown) => caught.push(error));
  };
  const frozen = Object.freeze(new Error("of the handler"));
  const text: unknown = "of the handler";
  await statuses(await start(catching, rateLimit({ rate: 5 }), () => Promise.reject(frozen)), "/");
  await statuses(await start(catching, rateLimit({ rate: 5 }), () => Promise.reject(text)), "/");
  expect(caught).toEqual([frozen, text]);
});

test("onLimited can let a request continue", async () => {
  const get = await start(rateLimit({ rate: 1, onLimited: (_result, _ctx, next) => next() }), (ctx) => {
    ctx.status = 200;
    ctx.body = String((ctx.state as RateLimitState).rateLimit?.allowed);
  });
  expect(await (await get("/")).text()).toBe("true");
  const second = await get("/");
  expect([second.headers.get("retry-after"), await second.text()]).toEqual(["60", "false"]);
});

test("limitByUser uses the ctx.state.user that authentication set", async () => {
  const authenticate: Middleware = (ctx, next) => {
    ctx.state["user"] = { id: ctx.get("authorization") };
    return next();
  };
  const get = await start(authenticate, limitByUser({ rate: 1 }), ok);
  const as = (user: string): Promise<number> => get("/", { headers: { authorization: user } }).then(({ status }) => status);
  expect([await as("ada"), await as("ada"), await as("grace")]).toEqual([200, 429, 200]);
});

test("over HTTP/2, refusals are the same, nothing warns, and refund gets the status that was sent", async () => {
  const warnings: string[] = [];
  const hear = ({ name }: Error): void => void warnings.push(name);
  process.on("warning", hear);
  const asked: number[] = [];
  const app = new Koa().use(rateLimit({ rate: 2, refund: (_ctx, status) => asked.push(status) < 0 })).use(ok);
  const handle = app.callback();
  const server = http2.createServer((req, res) => void handle(req, res)).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const session = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const ask = async (): Promise<readonly [unknown, unknown, unknown]> => {
    const stream = session.request({ ":path": "/" });
    const headers = await new Promise<http2.IncomingHttpHeaders & { ":status"?: number }>((resolve) => stream.once("response", resolve));
    stream.resume();
    await new Promise((resolve) => stream.once("close", resolve));
    return [headers[":status"], headers["x-ratelimit-remaining"], headers["content-type"]];
  };
  try {
    expect([await ask(), await ask(), await ask()]).toEqual([
      [200, "1", "text/plain; charset=utf-8"],
      [200, "0", "text/plain; charset=utf-8"],
      [429, "0", "application/problem+json"],
    ]);
    await expect.poll(() => asked).toEqual([200, 200]);
    expect(warnings).toEqual([]);
  } finally {
    process.off("warning", hear);
    session.destroy();
    server.close();
  }
});

test("mistakes in the options throw when the middleware is created, and the message shows what to write", () => {
  expect(() => rateLimit(undefined as never)).toThrow(/Expected `options` to be an object of options, got undefined/);
  expect(() => rateLimit({})).toThrow('Expected a policy, got none: write { rate: 100, period: "1m" }, or { limiter }');
  expect(() => rateLimit({ rate: -1, brust: 5, excludePaths: ["health"] } as never)).toThrow(
    /did you mean `burst`\?[\s\S]*excludePaths[\s\S]*rate/,
  );
});

test("a limit leaves the error of a handler as it is, so that the app's own error handling can use it", async () => {
  class OwnError extends Error {
    readonly headers = new Headers({ "x-own": "yes" });
    get status(): number {
      return 404;
    }
  }
  const thrown = new OwnError("nothing here");
  const caught: unknown[] = [];
  const get = await start(
    async (ctx, next) => {
      try {
        await next();
      } catch (error) {
        caught.push(error);
        ctx.status = (error as OwnError).status;
        ctx.body = (error as OwnError).headers.get("x-own");
      }
    },
    rateLimit({ rate: 5 }),
    () => {
      throw thrown;
    },
  );
  const response = await get("/");
  expect([response.status, await response.text(), response.headers.get("x-ratelimit-remaining")]).toEqual([404, "yes", "4"]);
  expect(caught).toEqual([thrown]);
  expect(Object.keys(thrown)).toEqual(["headers"]);
});

test("what is no error reaches the app's own error handling as it was thrown", async () => {
  const caught: unknown[] = [];
  const text: Error = "a string" as never;
  const get = await start(
    async (ctx, next) => {
      await next().catch((error: unknown) => caught.push(error));
      ctx.body = "caught";
    },
    rateLimit({ rate: 5 }),
    () => Promise.reject(text),
  );
  await get("/");
  expect(caught).toEqual(["a string"]);
});
