import type { IncomingMessage } from "node:http";
import { MemoryBackend } from "@ratelimit/backend-memory";
import type { Served } from "@ratelimit/conformance";
import { ManualClock } from "@ratelimit/core";
import type { RequestRateLimit } from "@ratelimit/core/http";
import { limitByApiKey, limitByUser, type RateLimitMiddleware, rateLimit } from "@ratelimit/express";
import { afterEach, describe, expect, test } from "vitest";
import { type Stack, stacks } from "./stacks.ts";

const open: Served[] = [];
afterEach(() => Promise.all(open.splice(0).map((served) => served.close())));

type Get = (headers?: Record<string, string>) => Promise<Response>;

async function start(stack: Stack, ...limits: readonly RateLimitMiddleware[]): Promise<Get> {
  const served = await stack.start(...limits);
  open.push(served);
  return (headers = {}) => fetch(`http://127.0.0.1:${served.port}${stack.target}`, { headers });
}

async function statuses(get: Get, times: number): Promise<number[]> {
  const found: number[] = [];
  for (let i = 0; i < times; i++) found.push((await get()).status);
  return found;
}

const still = (): { backend: MemoryBackend } => ({ backend: new MemoryBackend({ clock: new ManualClock() }) });

describe.each(stacks)("the middleware works with $name:", (stack) => {
  test("it limits, and a refusal has the headers and the body that Express sends", async () => {
    const get = await start(stack, rateLimit({ ...still(), rate: 2, headers: ["legacy", "draft-8"] }));
    expect((await get()).headers.get("ratelimit")).toBe('"default";r=1;t=30');
    expect(await statuses(get, 1)).toEqual([200]);
    const refused = await get();
    const names = ["x-ratelimit-limit", "x-ratelimit-remaining", "ratelimit", "retry-after", "cache-control", "content-type"];
    expect([refused.status, ...names.map((name) => refused.headers.get(name))]).toEqual([
      429,
      "2",
      "0",
      '"default";r=0;t=30',
      "30",
      "no-store",
      "application/problem+json",
    ]);
    expect(await refused.json()).toMatchObject({ status: 429, retryAfter: 30, "violated-policies": ["default"] });
  });

  test("several limiters count, and the headers describe the tightest", async () => {
    const get = await start(stack, rateLimit({ ...still(), name: "site", rate: 1 }), rateLimit({ ...still(), name: "page", rate: 9 }));
    expect((await get()).headers.get("x-ratelimit-limit")).toBe("1");
    expect(await statuses(get, 1)).toEqual([429]);
  });

  test("onLimited answers with Node's own response, returns a body, or only observes", async () => {
    const seen: number[] = [];
    const limit = { rate: 1, headers: "none" } as const;
    const answering = await start(stack, rateLimit({ ...limit, onLimited: (_result, _req, res) => void res.writeHead(418).end("mine") }));
    const returning = await start(stack, rateLimit({ ...limit, ...still(), onLimited: async ({ retryAfter }) => ({ wait: retryAfter }) }));
    const observing = await start(stack, rateLimit({ ...limit, onLimited: ({ limit }) => void seen.push(limit) }));
    await Promise.all([answering(), returning(), observing()]);
    const [answered, returned, observed] = [await answering(), await returning(), await observing()];
    expect([answered.status, await answered.text()]).toEqual([418, "mine"]);
    expect([returned.status, returned.headers.get("content-type"), await returned.json()]).toEqual([
      429,
      "application/json; charset=utf-8",
      { wait: 60 },
    ]);
    expect([observed.status, observed.headers.get("content-type"), seen]).toEqual([429, "application/problem+json", [1]]);
  });

  test.each([
    ["a string as plain text", "wait", "text/plain; charset=utf-8"],
    ["bytes as they are", Buffer.from("wait"), "application/octet-stream"],
  ] as const)("onLimited may return %s", async (_, body, type) => {
    const get = await start(stack, rateLimit({ rate: 1, onLimited: () => body }));
    await get();
    const refused = await get();
    expect([refused.status, refused.headers.get("content-type"), await refused.text()]).toEqual([429, type, "wait"]);
  });

  test("onLimited may let the request continue", async () => {
    const get = await start(stack, rateLimit({ rate: 1, onLimited: (_result, _req, _res, next) => next() }));
    await get();
    const passed = await get();
    expect(passed.headers.get("x-ratelimit-remaining")).toBe("0");
    expect(await passed.text()).toMatch(stack.answer);
  });

  test("cost reads the request, and refund gets the status that was sent", async () => {
    const seen: number[] = [];
    const cost = rateLimit({ rate: 5, cost: (req) => Number(req.headers["x-cost"] ?? 0) });
    const get = await start(stack, cost, rateLimit({ rate: 1, refund: (_req, status) => seen.push(status) > 0 }));
    for (const i of [1, 2, 3]) {
      expect((await get()).status).toBe(200);
      await expect.poll(() => seen.length).toBe(i);
    }
    expect(seen).toEqual([200, 200, 200]);
    expect((await get({ "x-cost": "4" })).status).toBe(200);
    expect((await get({ "x-cost": "2" })).status).toBe(429);
  });

  test("users and API keys are told apart, and a final refusal is final", async () => {
    const limits = [
      limitByUser({ rate: 1, user: (req) => req.headers["x-user"] }),
      limitByApiKey({ rate: 9, valid: (key) => key === "a", anonymous: "refuse" }),
    ];
    const get = await start(stack, ...limits);
    const refused = await get({ "x-user": "eve", "x-api-key": "made up" });
    expect([refused.status, refused.headers.get("www-authenticate"), refused.headers.get("retry-after")]).toEqual([401, "ApiKey", null]);
    const users = ["ada", "ada", "grace"];
    const found: number[] = [];
    for (const user of users) found.push((await get({ "x-user": user, "x-api-key": "a" })).status);
    expect(found).toEqual([200, 429, 200]);
  });

  test("an error from a callback stops the request and reaches the framework", async () => {
    const thrown = (): never => {
      throw new Error("of the key");
    };
    const get = await start(stack, rateLimit({ rate: 9, key: () => Promise.reject(new Error("of the key")) }));
    const sync = await start(stack, rateLimit({ rate: 9, key: thrown }));
    expect([await statuses(get, 2), await statuses(sync, 1)]).toEqual([[stack.failed, stack.failed], [stack.failed]]);
  });

  test("what comes behind it finds the decision in req.rateLimit", async () => {
    const seen: (number | undefined)[] = [];
    const get = await start(stack, rateLimit({ rate: 9 }), (req: IncomingMessage & { rateLimit?: RequestRateLimit }, _res, next) => {
      seen.push(req.rateLimit?.remaining);
      next();
    });
    expect([await statuses(get, 2), seen]).toEqual([
      [200, 200],
      [8, 7],
    ]);
  });

  test("excludePaths and skip see the whole URL", async () => {
    const get = await start(stack, rateLimit({ rate: 1, excludePaths: [stack.target.replace(/\?.*/, "")] }));
    expect(await statuses(get, 2)).toEqual([200, 200]);
    const seen: string[] = [];
    const skipping = await start(stack, rateLimit({ rate: 1, skip: ({ originalUrl, url }) => seen.push(originalUrl ?? url) > 0 }));
    expect([await statuses(skipping, 2), seen]).toEqual([
      [200, 200],
      [stack.target, stack.target],
    ]);
  });
});
