import { type Backend, defineConfig, limitByApiKey, limitByUser, MemoryBackend, RateLimiter, rateLimit } from "@ratelimit/fastify";
import Fastify, { type FastifyInstance } from "fastify";
import { expect, test } from "vitest";

const ok = async (): Promise<string> => "ok";

/** A backend that lists the keys it is asked about. */
class ListeningBackend extends MemoryBackend {
  readonly asked: string[] = [];

  override take(...[scope, key, cost]: Parameters<MemoryBackend["take"]>): ReturnType<MemoryBackend["take"]> {
    this.asked.push(`${scope.prefix}${key} ${cost}`);
    return super.take(scope, key, cost);
  }
}

async function statuses(app: FastifyInstance, path: string, times: number): Promise<number[]> {
  const found: number[] = [];
  for (let i = 0; i < times; i++) found.push((await app.inject(path)).statusCode);
  return found;
}

test("a route's limit inherits the plugin's backend, key, cost, headers, trust and callbacks", async () => {
  const backend = new ListeningBackend();
  const limited: string[] = [];
  const app = Fastify();
  await app.register(rateLimit, {
    ...{ name: "all", rate: 100, backend, cost: 2, headers: "draft-8", trust: 1, ipv6Prefix: 48, excludePaths: ["/health"] },
    key: (request) => request.headers["x-tenant"]?.toString(),
    onLimited: (result) => void limited.push(result.name),
  });
  const config = { rateLimit: { name: "search", rate: 3, period: "1m" } };
  app.get("/search", { config }, ok);
  app.get("/health", { config }, ok);

  const first = await app.inject({ url: "/search", headers: { "x-tenant": "a" } });
  expect(first.headers).toMatchObject({ "ratelimit-policy": '"search";q=3;w=60', ratelimit: '"search";r=1;t=20' });
  expect((await app.inject({ url: "/search", headers: { "x-tenant": "a" } })).statusCode).toBe(429);
  await app.inject({ url: "/search", headers: { "x-forwarded-for": "2001:db8:1:2::3" } });
  expect(backend.asked).toEqual(["search:key:a 2", "search:key:a 2", "search:ip:2001:db8:1::/48 2"].map((key) => `ratelimit:${key}`));
  expect(limited).toEqual(["search"]);
  expect((await app.inject("/health")).headers).not.toHaveProperty("ratelimit");
});

test("what a route gives itself wins", async () => {
  const app = Fastify();
  await app.register(rateLimit, { rate: 100, shadow: true, headers: "draft-8", key: () => "one" });
  app.get("/", { config: { rateLimit: { rate: 1, shadow: false, headers: "legacy", key: (request) => request.ip } } }, ok);
  expect((await app.inject("/")).headers).toMatchObject({ "x-ratelimit-limit": "1" });
  expect((await app.inject("/")).statusCode).toBe(429);
});

test("options without a policy use the plugin's own limiter", async () => {
  const app = Fastify();
  await app.register(rateLimit, { rate: 10 });
  app.get("/plain", ok);
  app.get("/expensive", { config: { rateLimit: { cost: 4 } } }, ok);
  expect(await statuses(app, "/expensive", 3)).toEqual([200, 200, 429]);
  expect(await statuses(app, "/plain", 3)).toEqual([200, 200, 429]);
});

test("a policy is never merged: a route's rate does not get the plugin's burst or period", async () => {
  const app = Fastify();
  await app.register(rateLimit, { rate: 100, period: "1h", burst: 500, block: "1h", headers: "draft-8" });
  app.get("/", { config: { rateLimit: { rate: 5 } } }, ok);
  expect((await app.inject("/")).headers["ratelimit-policy"]).toBe('"default";q=5;w=60');
});

test("limitByUser and limitByApiKey inherit what they can have: no key, and their own hook", async () => {
  const backend = new ListeningBackend();
  const app = Fastify();
  app.decorateRequest("user", null);
  await app.register(rateLimit, { rate: 100, backend, name: "all", key: () => "one", cost: 3 });
  const authenticate = async (request: object): Promise<void> => void Object.assign(request, { user: { id: "ada" } });
  app.get("/user", { preHandler: authenticate, config: { rateLimit: limitByUser({ rate: 10, name: "users" }) } }, ok);
  app.get("/key", { config: { rateLimit: limitByApiKey({ rate: 10, name: "keys", header: "x-key" }) } }, ok);
  await app.inject("/user");
  await app.inject({ url: "/key", headers: { "x-key": "secret" } });
  expect(backend.asked).toEqual([expect.stringMatching(/^ratelimit:users:user:ada 3$/), expect.stringMatching(/^ratelimit:keys:apikey:/)]);
});

test("a limiter on a route keeps its own backend", async () => {
  const [plugins, own] = [new ListeningBackend(), new ListeningBackend()];
  const app = Fastify();
  await app.register(rateLimit, { rate: 100, backend: plugins, name: "all", keyPrefix: "app:" });
  const limiter = new RateLimiter({ rate: 1, backend: own, name: "own" });
  app.get("/", { config: { rateLimit: { limiter } } }, ok);
  expect(await statuses(app, "/", 2)).toEqual([200, 429]);
  expect([plugins.asked.length, own.asked.length]).toEqual([0, 2]);
});

test("a function of the request is a limit: alone, in an array, or as the plugin's own", async () => {
  const rate = (request: { headers: Record<string, unknown> }): { rate: number } => ({ rate: Number(request.headers["x-rate"] ?? 1) });
  const app = Fastify();
  await app.register(rateLimit, { limiter: rate });
  app.get("/plugin", ok);
  app.get("/alone", { config: { rateLimit: (request) => rate(request) } }, ok);
  app.get("/added", { config: { rateLimit: [async () => ({ rate: 2 })] } }, ok);
  expect(await statuses(app, "/plugin", 2)).toEqual([200, 429]);
  expect(await statuses(app, "/alone", 2)).toEqual([200, 429]);
  expect(await statuses(app, "/added", 1)).toEqual([429]);
  const other = Fastify();
  await other.register(rateLimit, { limiter: () => ({ rate: 9 }) });
  other.get("/added", { config: { rateLimit: [async () => ({ rate: 2 })] } }, ok);
  expect((await other.inject("/added")).headers["x-ratelimit-limit"]).toBe("2");
});

test("a function that returns no limit fails the request, and never lifts the limit", async () => {
  const app = Fastify();
  await app.register(rateLimit, { rate: 100 });
  for (const [i, value] of [5, "10/m", null, { max: 5 }, { rate: "5" }].entries())
    app.get(`/${i}`, { config: { rateLimit: () => value as never } }, ok);
  for (let i = 0; i < 5; i++) expect((await app.inject(`/${i}`)).statusCode, String(i)).toBe(500);
});

test("in nested scopes, a route inherits from the innermost plugin", async () => {
  const app = Fastify();
  await app.register(rateLimit, { rate: 100, headers: "draft-6" });
  await app.register(async (scope) => {
    await scope.register(rateLimit, { rate: 100, headers: "draft-8" });
    scope.get("/inner", { config: { rateLimit: { rate: 3 } } }, ok);
  });
  app.get("/outer", { config: { rateLimit: { rate: 3 } } }, ok);
  expect((await app.inject("/inner")).headers).toHaveProperty("ratelimit", '"default";r=2;t=40');
  expect((await app.inject("/outer")).headers).toHaveProperty("ratelimit-remaining", "2");
});

test("a route declared before the plugin inherits as well", async () => {
  const app = Fastify();
  app.get("/", { config: { rateLimit: { rate: 3 } } }, ok);
  await app.register(rateLimit, { rate: 100, headers: "draft-8" });
  expect((await app.inject("/")).headers).toHaveProperty("ratelimit", '"default";r=2;t=40');
});

test("a configuration passes on its headers and key prefix, not its policy and name", async () => {
  const backend = new ListeningBackend();
  const shared: Backend = {
    take: (...call) => backend.take(...call),
    adjust: (...call) => backend.adjust(...call),
    block: (...call) => backend.block(...call),
    reset: (...call) => backend.reset(...call),
    close: () => backend.close(),
  };
  const app = Fastify();
  const config = defineConfig({ name: "all", rate: 100, keyPrefix: "app:", headers: "draft-8" });
  await app.register(rateLimit, { config, backend: shared });
  app.get("/items/:id", { config: { rateLimit: { rate: 3 } } }, ok);
  expect((await app.inject("/items/1")).headers).toHaveProperty("ratelimit", '"default";r=2;t=40');
  expect(backend.asked).toEqual(["app:GET%20/items/%3Aid:ip:127.0.0.1 1"]);
});
