import { MemoryBackend } from "@ratelimit/backend-memory";
import { type Backend, ManualClock, RateLimiter } from "@ratelimit/core";
import rateLimit, { limitByApiKey, limitByUser } from "@ratelimit/fastify";
import Fastify, { type FastifyInstance, type InjectOptions, type LightMyRequestResponse } from "fastify";
import { expect, test } from "vitest";

const ok = async (): Promise<string> => "ok";

async function statuses(app: FastifyInstance, ...paths: readonly string[]): Promise<number[]> {
  const found: number[] = [];
  for (const path of paths) found.push((await app.inject(path)).statusCode);
  return found;
}

function remaining({ headers }: LightMyRequestResponse): unknown {
  return headers["x-ratelimit-remaining"];
}

function onClock(rate: number): { backend: MemoryBackend; rate: number } {
  return { rate, backend: new MemoryBackend({ clock: new ManualClock() }) };
}

test("a route's config replaces the plugin's limit, an array adds to it, and false removes it", async () => {
  const app = Fastify();
  await app.register(rateLimit, { rate: 3 });
  app.get("/plugin", ok);
  app.get("/replaced", { config: { rateLimit: { rate: 1 } } }, ok);
  app.get("/added", { config: { rateLimit: [{ rate: 1 }] } }, ok);
  app.get("/lifted", { config: { rateLimit: false } }, ok);
  app.get("/nothing-added", { config: { rateLimit: [] } }, ok);
  expect(await statuses(app, "/lifted", "/lifted", "/lifted", "/lifted")).toEqual([200, 200, 200, 200]);
  expect((await app.inject("/lifted")).headers).not.toHaveProperty("x-ratelimit-limit");
  expect(await statuses(app, "/replaced", "/replaced")).toEqual([200, 429]);
  expect(await statuses(app, "/added", "/added")).toEqual([200, 429]);
  expect(await statuses(app, "/nothing-added", "/plugin")).toEqual([200, 429]);
});

test("without options, the plugin limits nothing but enables limits in routes", async () => {
  const app = Fastify();
  await app.register(rateLimit);
  app.get("/free", ok);
  app.get("/limited", { config: { rateLimit: { rate: 1 } } }, ok);
  expect(await statuses(app, "/free", "/free", "/limited", "/limited", "/none", "/none")).toEqual([200, 200, 200, 429, 404, 404]);
});

test("routes declared before the plugin are limited too, by their own limits or by the plugin's", async () => {
  const app = Fastify();
  app.get("/plain", ok);
  app.get("/own", { config: { rateLimit: { rate: 1 } } }, ok);
  app.get("/lifted", { config: { rateLimit: false } }, ok);
  await app.register(rateLimit, { rate: 2 });
  expect(await statuses(app, "/own", "/own", "/lifted", "/plain", "/plain", "/plain")).toEqual([200, 429, 200, 200, 200, 429]);
});

test("requests without a route count in the root scope but not in an inner scope", async () => {
  const [root, child] = [Fastify(), Fastify()];
  await root.register(rateLimit, { rate: 2 });
  await child.register(async (scope) => {
    await scope.register(rateLimit, { rate: 2 });
    scope.get("/limited", ok);
  });
  expect(await statuses(root, "/a", "/b", "/c")).toEqual([404, 404, 429]);
  expect(await statuses(child, "/a", "/b", "/c", "/limited", "/limited", "/limited")).toEqual([404, 404, 404, 200, 200, 429]);
});

test("the HEAD route that Fastify adds to a GET route is charged once, to the same budget", async () => {
  const app = Fastify();
  await app.register(rateLimit);
  app.get("/", { config: { rateLimit: { ...onClock(3), headers: "draft-8" } } }, ok);
  const ask = async (method: NonNullable<InjectOptions["method"]>): Promise<unknown> =>
    (await app.inject({ method, url: "/" })).headers["ratelimit"];
  expect([await ask("HEAD"), await ask("GET"), await ask("HEAD")]).toEqual([
    '"default";r=2;t=40',
    '"default";r=1;t=20',
    '"default";r=0;t=20',
  ]);
});

test("scopes: a plugin limits its own scope and inner ones, with or without a prefix", async () => {
  const app = Fastify();
  await app.register(
    async (scope) => {
      await scope.register(rateLimit, { rate: 2 });
      scope.get("/a", ok);
      await scope.register(async (inner) => void inner.get("/b", ok), { prefix: "/inner" });
    },
    { prefix: "/v1" },
  );
  app.get("/outside", ok);
  expect(await statuses(app, "/v1/a", "/v1/inner/b", "/v1/a", "/outside", "/outside", "/outside")).toEqual([200, 200, 429, 200, 200, 200]);
});

test("scopes: a plugin registered twice applies both limits and lists them in the order in which they ran", async () => {
  const app = Fastify();
  await app.register(rateLimit, { rate: 5, name: "outer", headers: "draft-8" });
  await app.register(async (scope) => {
    await scope.register(rateLimit, { rate: 2, name: "inner", headers: "draft-8" });
    scope.get("/", { config: { rateLimit: [{ rate: 3, headers: "draft-8" }] } }, ok);
  });
  const { headers } = await app.inject("/");
  expect(headers["ratelimit-policy"]).toBe('"outer";q=5;w=60, "default";q=3;w=60, "inner";q=2;w=60');
  expect(await statuses(app, "/", "/")).toEqual([200, 429]);
});

test("scopes: a limiter registered in a scope and again in an inner one charges each request once", async () => {
  const app = Fastify();
  const limiter = new RateLimiter(onClock(2));
  await app.register(rateLimit, { limiter });
  await app.register(async (scope) => {
    await scope.register(rateLimit, { limiter });
    scope.get("/", { config: { rateLimit: [{ limiter }] } }, ok);
  });
  expect(await statuses(app, "/", "/", "/")).toEqual([200, 200, 429]);
});

test("the options of register itself are not treated as rate-limit options", async () => {
  const app = Fastify();
  await app.register(rateLimit, { rate: 1, prefix: "/v1", logLevel: "warn" });
  app.get("/", ok);
  expect(await statuses(app, "/", "/")).toEqual([200, 429]);
});

test("a route with parameters has one budget, named after the route in a shared store", async () => {
  const app = Fastify();
  const prefixes: string[] = [];
  const inProcess = new MemoryBackend();
  const shared: Backend = {
    async take(scope, key, cost) {
      prefixes.push(scope.prefix);
      return inProcess.take(scope, key, cost);
    },
    adjust: async (scope, key, tokens) => inProcess.adjust(scope, key, tokens),
    block() {},
    reset() {},
    close() {},
  };
  await app.register(rateLimit);
  const [outer, inner] = [
    { rate: 5, backend: shared },
    { rate: 2, backend: shared },
  ];
  app.get("/items/:id", { config: { rateLimit: [outer, inner] } }, ok);
  app.post("/items/:id", { config: { rateLimit: { ...inner, name: "writes" } } }, ok);
  expect(await statuses(app, "/items/1", "/items/2?x", "/items/3")).toEqual([200, 200, 429]);
  await app.inject({ method: "POST", url: "/items/1" });
  expect([...new Set(prefixes)]).toEqual(["ratelimit:GET%20/items/%3Aid:", "ratelimit:GET%20/items/%3Aid%202:", "ratelimit:writes:"]);
  await expect(Fastify().register(rateLimit, { rate: 1, backend: shared })).rejects.toThrow(
    /Expected `name` to be given for a backend shared by several processes/,
  );
});

test("two apps in one process keep their routes apart", async () => {
  const limit = onClock(1);
  for (const rate of [1, 1, 2]) {
    const app = Fastify();
    await app.register(rateLimit);
    app.get("/", { config: { rateLimit: { ...limit, rate } } }, ok);
    expect(await statuses(app, "/")).toEqual([200]);
  }
});

test("limitByUser runs after the route's own preHandlers and those of later plugins", async () => {
  const app = Fastify();
  await app.register(rateLimit);
  app.decorateRequest("user", null);
  const ran: string[] = [];
  const user = limitByUser({ rate: 1, user: ({ headers }) => ran.push("limit") && headers.authorization });
  app.get("/", { preHandler: async () => void ran.push("route"), config: { rateLimit: user } }, ok);
  app.addHook("preHandler", async () => void ran.push("plugin"));
  await app.inject({ url: "/", headers: { authorization: "ada" } });
  expect(ran).toEqual(["plugin", "route", "limit"]);
  expect((await app.inject({ url: "/", headers: { authorization: "ada" } })).statusCode).toBe(429);
});

test('hook: "preHandler" limits after authentication, "onRequest" before the body is read', async () => {
  const app = Fastify();
  await app.register(rateLimit);
  const ran: string[] = [];
  app.addHook("preParsing", async () => void ran.push("body"));
  const saying = (word: string) => (): undefined => void ran.push(word);
  const limits = [
    limitByApiKey({ rate: 9, hook: "preHandler", valid: () => ran.push("late") > 0 }),
    { rate: 9, key: saying("early") },
    { rate: 9, hook: "preHandler", key: saying("later") } as const,
    limitByUser({ rate: 9, hook: "onRequest", user: saying("earlier") }),
  ];
  app.get("/", { config: { rateLimit: limits } }, ok);
  await app.inject({ url: "/", headers: { "x-api-key": "a" } });
  expect(ran).toEqual(["early", "earlier", "body", "late", "later"]);
});

test("request.rateLimit is null if no limiter decided", async () => {
  const app = Fastify();
  await app.register(rateLimit);
  app.get("/free", async (request) => ({ rateLimit: request.rateLimit }));
  app.get("/limited", { config: { rateLimit: { rate: 9 } } }, async (request) => ({ left: request.rateLimit?.remaining }));
  expect((await app.inject("/free")).json()).toEqual({ rateLimit: null });
  expect((await app.inject("/limited")).json()).toEqual({ left: 8 });
});

test("onLimited returns the response body or sends it itself", async () => {
  const app = Fastify();
  await app.register(rateLimit);
  app.get("/returns", { config: { rateLimit: { ...onClock(1), onLimited: async ({ retryAfter }) => ({ wait: retryAfter }) } } }, ok);
  app.get("/sends", { config: { rateLimit: { rate: 1, onLimited: (_result, _request, reply) => reply.code(418).send("mine") } } }, ok);
  await statuses(app, "/returns", "/sends");
  const [returned, sent] = [await app.inject("/returns"), await app.inject("/sends")];
  expect([returned.statusCode, returned.json(), returned.headers["retry-after"]]).toEqual([429, { wait: 60 }, "60"]);
  expect([sent.statusCode, sent.body, sent.headers["cache-control"]]).toEqual([418, "mine", "no-store"]);
});

test("an error from a callback reaches the scope's error handler", async () => {
  const app = Fastify();
  const fault = new Error("of the key");
  await app.register(async (scope) => {
    await scope.register(rateLimit, { rate: 1, key: () => Promise.reject(fault) });
    scope.setErrorHandler((error, _request, reply) => reply.code(418).send({ same: error === fault }));
    scope.get("/", ok);
  });
  const { statusCode, body } = await app.inject("/");
  expect([statusCode, body]).toEqual([418, '{"same":true}']);
});

test("headers set in the app's onSend hook are sent along with the rate-limit headers, also on a refusal", async () => {
  const app = Fastify();
  app.addHook("onSend", async (_request, reply) => void reply.header("x-served-by", "a"));
  await app.register(rateLimit, { rate: 1 });
  app.get("/", ok);
  for (const status of [200, 429]) {
    const reply = await app.inject("/");
    expect([reply.statusCode, reply.headers["x-served-by"], remaining(reply)]).toEqual([status, "a", "0"]);
  }
});

test("mistakes throw when the plugin is registered or the route is declared", async () => {
  await expect(Fastify().register(rateLimit, { rate: -1, brust: 5 } as never)).rejects.toThrow(/did you mean `burst`\?[\s\S]*rate/);
  await expect(Fastify().register(rateLimit, { rate: 1, hook: "onSend" } as never)).rejects.toThrow(
    /Expected `hook` to be "onRequest" or "preHandler"/,
  );
  const app = Fastify();
  await app.register(rateLimit);
  const declare = (limit: unknown) => (): unknown => app.get("/", { config: { rateLimit: limit as never } }, ok);
  expect(declare({ rate: -1 })).toThrow(/Expected `rate` to be a positive integer, got -1/);
  expect(declare([{ rate: 1 }, limitByUser({ rate: 1.5 })])).toThrow(/Expected `rate` to be a positive integer, got 1.5/);
  expect(declare(limitByApiKey({ rate: 1, header: "not a field" }))).toThrow(/Expected `header` to be a header's name/);
  expect(declare(limitByUser({ rate: 1, hook: "onSend" } as never))).toThrow(/Expected `hook`/);
  expect(declare({})).toThrow(/Expected a policy, got none/);
});
