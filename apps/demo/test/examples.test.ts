import { readdirSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { RedisBackend } from "@ratelimit/backend-redis";
import { RateLimiter } from "@ratelimit/core";
import type { FastifyInstance } from "fastify";
import type Koa from "koa";
import { afterEach, describe, expect, inject, onTestFinished, test, vi } from "vitest";
import { freshPrefix } from "./support/redis.ts";
import { get, getMany, limitFields, remaining } from "./support/requests.ts";

/** Turns an application of each framework into a listener. */
const listeners: Record<"express" | "fastify" | "koa", (app: unknown) => Promise<RequestListener>> = {
  express: async (app) => app as RequestListener,
  fastify: async (app) => {
    const instance = app as FastifyInstance;
    await instance.ready();
    return (req, res) => instance.routing(req, res);
  },
  koa: async (app) => {
    const answer = (app as Koa).callback();
    return (req, res) => void answer(req, res);
  },
};
const frameworks = Object.keys(listeners) as (keyof typeof listeners)[];

const run = new Set<string>();
afterEach(() => {
  vi.unstubAllEnvs();
});

test("basic.ts", async () => {
  expect(await printsOf("basic")).toEqual(["Process the request; 99 are left"]);
});

test("redis.ts, run twice on one budget", async () => {
  const { url } = inject("redis");
  await using backend = new RedisBackend({ url, timeout: "10s", outage: "throw" });
  await new RateLimiter({ name: "api", rate: 100, period: 60, backend }).reset("user:123");
  vi.stubEnv("RATELIMIT_REDIS_URL", url);
  expect(await printsOf("redis")).toEqual(["true 99"]);
  expect(await printsOf("redis")).toEqual([expect.stringMatching(/^true (98|99)$/)]); // 99 after 600 ms
});

test.for(["", inject("redis").url])("config.ts (%j)", async (redisUrl) => {
  vi.stubEnv("RATELIMIT_REDIS_URL", redisUrl || undefined);
  const { app, backend } = (await load("config")) as typeof import("../examples/config.ts");
  onTestFinished(async () => backend.close());
  const reply = await get(`${await serve(app)}/api/data`);
  expect([reply.status, reply.body, ...limitFields(reply).slice(0, 2)]).toEqual([
    200,
    '{"data":"value"}',
    "x-ratelimit-limit: 100",
    "x-ratelimit-remaining: 100",
  ]);
});

test("config-from-env.ts", async () => {
  for (const [name, value] of Object.entries({ RATELIMIT_RATE: "5", RATELIMIT_PERIOD: "1m", RATELIMIT_BURST: "7" }))
    vi.stubEnv(name, value);
  vi.stubEnv("RATELIMIT_REDIS_URL", undefined);
  expect(await printsOf("config-from-env")).toEqual(["6 of 7 left, at 5 per 60 s"]);
  vi.stubEnv("RATELIMIT_REDIS_URL", inject("redis").url);
  vi.stubEnv("RATELIMIT_KEY_PREFIX", freshPrefix());
  expect(await printsOf("config-from-env")).toEqual(["6 of 7 left, at 5 per 60 s"]);
});

test("algorithm.ts", async () => {
  expect(await printsOf("algorithm")).toEqual([
    "At once: 150 of 200",
    "Sustained: 1.67 per second",
    "Processing for 30 seconds: 150 of 150, and 50 are left",
  ]);
});

test("refusal.ts", async () => {
  const { handle } = (await load("refusal")) as typeof import("../examples/refusal.ts");
  expect((await handle("ada")).status).toBe(200);
  const refused = await handle("ada");
  expect([refused.status, refused.headers.get("retry-after"), await refused.text()]).toEqual([429, "60", "Too many requests"]);
  expect((await handle("bob")).status).toBe(200);
});

test("headers.ts", async () => {
  const { app } = (await load("headers")) as typeof import("../examples/headers.ts");
  const url = await serve(app);
  const [legacy, refusedLegacy] = (await getMany(2, `${url}/legacy`)).replies.map(limitFields);
  const reset = expect.stringMatching(/^x-ratelimit-reset: \d{10}$/) as string;
  expect(legacy).toEqual(["x-ratelimit-limit: 1", "x-ratelimit-remaining: 0", reset]);
  expect(refusedLegacy).toEqual(["retry-after: 60", "x-ratelimit-limit: 1", "x-ratelimit-remaining: 0", reset]);
  const [draft, refusedDraft] = (await getMany(2, `${url}/draft`)).replies.map(limitFields);
  const fields = ['ratelimit: "default";r=0;t=60', 'ratelimit-policy: "default";q=1;w=60'];
  expect(draft).toEqual(fields);
  expect(refusedDraft).toEqual([...fields, "retry-after: 60"]);
});

describe.for(frameworks)("%s", (framework) => {
  test("-middleware.ts", async () => {
    const url = await serveExample(framework, "middleware");
    const { replies, admitted, tookMs } = await getMany(103, `${url}/api/data`);
    expect(replies[0]?.body).toBe('{"data":"value"}');
    expect(admitted).toBeGreaterThanOrEqual(100);
    expect(admitted).toBeLessThanOrEqual(100 + Math.floor((tookMs + 5) / 600));
    expect(limitFields(await get(`${url}/health`))).toEqual([]);
  });

  test("-routes.ts", async () => {
    const url = await serveExample(framework, "routes");
    const asks: [path: string, headers: Record<string, string>, left: number][] = [
      ["public", {}, 9],
      ["public", {}, 8],
      ["user", { "X-User": "ada" }, 99],
      ["user", { "X-User": "ada" }, 98],
      ["user", { "X-User": "bob" }, 99],
      ["partner", { "X-API-Key": "partner-1" }, 999],
      ["partner", { "X-API-Key": "partner-1" }, 998],
      ["partner", { "X-API-Key": "partner-2" }, 999],
    ];
    const start = performance.now();
    for (const [path, headers, left] of asks) {
      const reply = await get(`${url}/api/${path}`, headers);
      expect([path, headers, reply.status]).toEqual([path, headers, 200]);
      expect(remaining(reply)).toBeGreaterThanOrEqual(left);
      expect(remaining(reply)).toBeLessThanOrEqual(left + Math.floor((performance.now() - start + 5) / 600));
    }
    expect((await getMany(10, `${url}/api/public`)).replies.at(-1)?.status).toBe(429);
  });

  test("-exceeded.ts", async () => {
    const url = await serveExample(framework, "exceeded");
    const [first, second] = (await getMany(2, `${url}/report/ada`)).replies;
    expect(first?.status).toBe(200);
    expect(second?.status).toBe(429);
    expect(limitFields(second!)).toEqual([
      "retry-after: 60",
      "x-ratelimit-limit: 1",
      "x-ratelimit-remaining: 0",
      expect.stringMatching(/^x-ratelimit-reset: \d{10}$/),
    ]);
    expect(second?.body).toContain("Rate limit exceeded: retry in 60 seconds");
    expect(second?.body).not.toContain("ada");
    expect((await get(`${url}/report/bob`)).status).toBe(200);
  });
});

test("every example was run", () => {
  const files = readdirSync(join(import.meta.dirname, "../examples"));
  expect([...run].map((name) => `${name}.ts`).sort()).toEqual(files.sort());
});

/** Runs an example with fresh modules, as a new process would. */
async function load(name: string): Promise<unknown> {
  run.add(name);
  vi.resetModules();
  return import(`../examples/${name}.ts`);
}

async function printsOf(name: string): Promise<string[]> {
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  try {
    await load(name);
    return log.mock.calls.map((args) => args.join(" "));
  } finally {
    log.mockRestore();
  }
}

async function serveExample(framework: keyof typeof listeners, what: string): Promise<string> {
  const { app } = (await load(`${framework}-${what}`)) as { app: unknown };
  return serve(await listeners[framework](app));
}

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
