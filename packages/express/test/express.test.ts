import { MemoryBackend } from "@ratelimit/backend-memory";
import { listen, type Served } from "@ratelimit/conformance";
import { ManualClock, RateLimiter } from "@ratelimit/core";
import { limitByUser, rateLimit } from "@ratelimit/express";
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from "express";
import { afterEach, expect, test } from "vitest";

const open: Served[] = [];
afterEach(() => Promise.all(open.splice(0).map((served) => served.close())));

async function start(app: Express): Promise<(path: string, init?: RequestInit) => Promise<Response>> {
  const served = await listen(app);
  open.push(served);
  return (path, init) => fetch(`http://127.0.0.1:${served.port}${path}`, init);
}

async function statuses(get: (path: string) => Promise<Response>, ...paths: readonly string[]): Promise<number[]> {
  const found: number[] = [];
  for (const path of paths) found.push((await get(path)).status);
  return found;
}

const ok: RequestHandler = (_req, res) => void res.send("ok");

test("one middleware has one budget: on two routes, in a router and in a mounted app", async () => {
  const limit = rateLimit({ rate: 4 });
  const get = await start(
    express()
      .get("/a", limit, ok)
      .get("/b", limit, ok)
      .use("/router", express.Router().get("/c", limit, ok))
      .use("/app", express().use(limit).get("/d", ok)),
  );
  expect(await statuses(get, "/a", "/b", "/router/c", "/app/d", "/a", "/router/c")).toEqual([200, 200, 200, 200, 429, 429]);
});

test("two middlewares with the same policy have two budgets", async () => {
  const get = await start(
    express()
      .get("/a", rateLimit({ rate: 1 }), ok)
      .get("/b", rateLimit({ rate: 1 }), ok),
  );
  expect(await statuses(get, "/a", "/b", "/a", "/b")).toEqual([200, 200, 429, 429]);
});

test("a route with parameters has one budget for all their values", async () => {
  const get = await start(express().get("/items/:id", rateLimit({ rate: 2 }), ok));
  expect(await statuses(get, "/items/1", "/items/2", "/items/3", "/items/4?x")).toEqual([200, 200, 429, 429]);
});

test("a middleware on both the app and a router charges each request once", async () => {
  const limit = rateLimit({ rate: 2 });
  const get = await start(
    express()
      .use(limit)
      .use("/router", express.Router().use(limit).get("/", limit, ok)),
  );
  expect(await statuses(get, "/router", "/router", "/router")).toEqual([200, 200, 429]);
});

test("excludePaths matches whole paths in nested routers and mounted apps", async () => {
  const limit = rateLimit({ rate: 1, excludePaths: ["/v1/app/health"] });
  const inner = express().use(limit).get("/health", ok);
  const get = await start(express().use("/v1", express.Router().use("/app", inner)));
  expect(await statuses(get, "/v1/app/health", "/v1/app/health?x", "/v1/app/", "/v1/app/")).toEqual([200, 200, 404, 429]);
});

test("a synchronous backend makes the middleware synchronous", async () => {
  const returned: unknown[] = [];
  const limit = rateLimit({ limiter: new RateLimiter({ rate: 1, backend: new MemoryBackend({ clock: new ManualClock() }) }) });
  const get = await start(
    express()
      .use((req, res, next) => void returned.push(limit(req, res, next)))
      .get("/", ok),
  );
  expect(await statuses(get, "/", "/")).toEqual([200, 429]);
  expect(returned.filter((value) => value instanceof Promise)).toEqual([]);
});

test("an error from a callback reaches the app's error handler, wrapped if it is not an Error", async () => {
  const caught: unknown[] = [];
  const onError: ErrorRequestHandler = (error, _req, res, _next) => {
    caught.push(error);
    res.status(418).send("mine");
  };
  const [fault, text]: unknown[] = [new Error("of the key"), "route"];
  const get = await start(
    express()
      .get("/error", rateLimit({ rate: 1, key: () => Promise.reject(fault) }), ok)
      .get("/text", rateLimit({ rate: 1, key: () => Promise.reject(text) }), ok)
      .use(onError),
  );
  expect(await statuses(get, "/error", "/text")).toEqual([418, 418]);
  expect(caught).toEqual([fault, expect.objectContaining({ cause: "route" })]);
});

test("onLimited can let a request continue", async () => {
  const get = await start(
    express().get("/", rateLimit({ rate: 1, onLimited: (_result, _req, _res, next) => next() }), (req, res) =>
      res.status(200).json(req.rateLimit?.allowed),
    ),
  );
  expect(await (await get("/")).text()).toBe("true");
  const second = await get("/");
  expect([second.headers.get("retry-after"), await second.text()]).toEqual(["60", "false"]);
});

test("limitByUser uses the req.user that authentication set", async () => {
  const authenticate: RequestHandler = (req, _res, next) => {
    Object.assign(req, { user: { id: req.get("authorization") } });
    next();
  };
  const get = await start(express().get("/", authenticate, limitByUser({ rate: 1 }), ok));
  const as = (user: string): Promise<number> => get("/", { headers: { authorization: user } }).then(({ status }) => status);
  expect([await as("ada"), await as("ada"), await as("grace")]).toEqual([200, 429, 200]);
});

test("mistakes in the options throw when the middleware is created, and the message shows what to write", () => {
  expect(() => rateLimit(undefined as never)).toThrow(/Expected `options` to be an object of options, got undefined/);
  expect(() => rateLimit({})).toThrow('Expected a policy, got none: write { rate: 100, period: "1m" }, or { limiter }');
  expect(() => rateLimit({ rate: -1, brust: 5, excludePaths: ["health"] } as never)).toThrow(
    /did you mean `burst`\?[\s\S]*excludePaths[\s\S]*rate/,
  );
});
