import { limitByUser, rateLimit } from "@ratelimit/fastify";
import { warningsOf } from "@ratelimit/testbed/warnings";
import Fastify, { type FastifyInstance, type FastifyRequest } from "fastify";
import { expect, test } from "vitest";

const ok = async (): Promise<string> => "ok";

async function statuses(app: FastifyInstance, ...paths: readonly string[]): Promise<number[]> {
  const found: number[] = [];
  for (const path of paths) found.push((await app.inject(path)).statusCode);
  return found;
}

test("a plugin registered without await limits the routes declared after it, and their own limits apply", async () => {
  const app = Fastify();
  void app.register(rateLimit, { rate: 2 });
  app.get("/plugin", ok);
  app.get("/own", { config: { rateLimit: { rate: 1 } } }, ok);
  app.get("/added", { config: { rateLimit: [{ rate: 1 }] } }, ok);
  app.get("/lifted", { config: { rateLimit: false } }, ok);
  void app.register(async (scope) => scope.get("/inner", ok), { prefix: "/v1" });
  const warnings = await warningsOf(async () => {
    expect(await statuses(app, "/own", "/own", "/lifted", "/lifted", "/lifted")).toEqual([200, 429, 200, 200, 200]);
    expect(await statuses(app, "/added", "/v1/inner", "/plugin", "/added")).toEqual([200, 200, 429, 429]);
  });
  expect(warnings).toEqual([]);
});

test("a mistake in a route's limit fails its requests, because the route was declared before the plugin could check it", async () => {
  const app = Fastify();
  void app.register(rateLimit, { rate: 2 });
  app.get("/", { config: { rateLimit: { rate: -1 } } }, ok);
  const { statusCode, body } = await app.inject("/");
  expect([statusCode, body]).toEqual([500, expect.stringContaining("Expected `rate`")]);
});

test("limitByUser on such a route warns and says what to await; a limit by user works once the plugin is awaited", async () => {
  const authenticate = async (request: FastifyRequest): Promise<void> => {
    Object.assign(request, { user: { id: request.headers.authorization } });
  };
  const served: number[][] = [];
  const serve = async (isAwaited: boolean): Promise<void> => {
    const app = Fastify();
    app.decorateRequest("user", null);
    const registered = app.register(rateLimit);
    if (isAwaited) await registered;
    const limit = limitByUser({ rate: 1, anonymous: "address" });
    app.get("/", { preHandler: authenticate, config: { rateLimit: limit } }, ok);
    const found: number[] = [];
    for (const authorization of ["ada", "grace"]) found.push((await app.inject({ url: "/", headers: { authorization } })).statusCode);
    served.push(found);
  };
  const warnings = await warningsOf(async () => {
    await serve(false);
    await serve(true);
  });
  expect(served).toEqual([
    [200, 429],
    [200, 200],
  ]);
  expect(warnings).toEqual([
    expect.objectContaining({
      code: "RATELIMIT_ROUTE_BEFORE_PLUGIN",
      message: expect.stringContaining("await fastify.register(rateLimit)") as string,
    }),
  ]);
});

test("a route inherits from the plugin of its own scope, even if that plugin is not awaited", async () => {
  const ask = async (isAwaited: boolean, hook?: "preHandler"): Promise<string[]> => {
    const app = Fastify();
    await app.register(rateLimit, { rate: 1000 });
    void app.register(async (scope) => {
      const registered = scope.register(rateLimit, {
        ...{ rate: 100, headers: "draft-8", hook },
        key: (request) => request.headers["x-tenant"]?.toString(),
      });
      if (isAwaited) await registered;
      scope.get("/", { config: { rateLimit: { rate: 2 } } }, ok);
    });
    const found: string[] = [];
    for (const tenant of ["a", "b", "a", "a"]) {
      const { statusCode, headers } = await app.inject({ url: "/", headers: { "x-tenant": tenant } });
      found.push(`${statusCode} ${headers["ratelimit"]?.toString().split(";t=")[0]}`);
    }
    return found;
  };
  const expected = ['200 "default";r=1', '200 "default";r=1', '200 "default";r=0', '429 "default";r=0'];
  for (const isAwaited of [true, false]) {
    expect(await ask(isAwaited)).toEqual(expected);
    expect(await ask(isAwaited, "preHandler")).toEqual(expected);
  }
});
