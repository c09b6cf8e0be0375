import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { startStandalone } from "@ratelimit/testbed";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { Setup } from "../../src/page/contract.ts";
import { addressIn, decisionOf, demoWithPage, type OpenDemo, open, play } from "../support/page.ts";
import type { Program } from "../support/program.ts";
import { freshPrefix, serversEnv } from "../support/redis.ts";
import { get, type Reply } from "../support/requests.ts";

// Starting three processes is slow on a busy machine.
vi.setConfig({ testTimeout: 90_000 });

let demo: Program;
beforeAll(async () => {
  demo = await demoWithPage();
}, 60_000);
afterAll(() => demo[Symbol.asyncDispose]());

test("the page is at the first address, with what it needs and nothing from elsewhere", async () => {
  const { url } = await open(demo);
  const page = await get(url);
  expect(page.status).toBe(200);
  expect(page.headers.get("content-security-policy")).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self';/);
  const parts = [...page.body.matchAll(/(?:src|href)="([^"#]+)"/g)].map(([, path]) => path!);
  expect(parts).toHaveLength(3);
  for (const path of parts) {
    expect(path).toMatch(/^\/page\//);
    const part = await get(new URL(path, url).href);
    expect([path, part.status]).toEqual([path, 200]);
    // None of what core needs of Node may get into the script.
    expect(part.body).not.toMatch(/__vite-browser-external|diagnostics_channel|async_hooks|perf_hooks/);
  }
  // All other paths belong to the application.
  expect((await get(`${url}api/data`)).headers.get("x-ratelimit-limit")).toBe("100");
  expect((await get(`${url}page/nothing`)).status).toBe(404);
});

test("other sites cannot use it, neither by a request of theirs nor by a name of theirs", async () => {
  const { url, setup } = await open(demo);
  await setup();
  const { port } = new URL(url);
  const freeze = `${url}page/api/redis/freeze`;
  for (const Origin of ["https://example.com", "null", `http://127.0.0.1:${Number(port) + 1}`])
    expect((await fetch(freeze, { method: "POST", headers: { Origin } })).status).toBe(403);
  expect(await statusOf(freeze, `example.com:${port}`)).toBe(403);
  expect((await setup()).redis.state).toBe("running");
});

describe("with a Redis server that the demo has started", () => {
  test.for(["Express", "Fastify", "Koa"])("%s answers with the limit of the query, its headers and the decision", async (framework) => {
    const { setup } = await open(demo);
    const { processes, redis, backends } = await shown(setup);
    expect([redis.state, processes.length, new Set(processes.map(({ pid }) => pid)).size]).toEqual(["running", 2, 2]);
    expect(backends.map(({ name, missing }) => [name, missing])).toEqual([
      ["memory", undefined],
      ["Redis", undefined],
      ["Redis Cluster", "Redis Cluster needs REDIS_CLUSTER"],
    ]);
    for (const backend of ["memory", "Redis"]) {
      const url = addressIn({ processes } as Setup, 0, framework, backend);
      const replies: Reply[] = [];
      for (let i = 0; i < 4; i++) replies.push(await play(url, { cost: 2 }));
      expect(replies.map(({ status }) => status)).toEqual([200, 200, 429, 429]);
      for (const reply of replies) {
        const { allowed, remaining, retryMs, pid } = decisionOf(reply);
        expect([allowed, pid]).toEqual([reply.status === 200, processes[0]?.pid]);
        expect(String(remaining)).toBe(reply.headers.get("x-ratelimit-remaining"));
        expect(reply.headers.get("ratelimit-policy")).toBe('"default";q=5;w=3600');
        if (!allowed) expect(Math.ceil(retryMs! / 1000)).toBe(Number(reply.headers.get("retry-after")));
      }
      // What a page of another origin may read.
      const exposed = replies[2]!.headers.get("access-control-expose-headers")?.toLowerCase().split(/, */) ?? [];
      expect(replies[2]!.headers.get("access-control-allow-origin")).toBe("*");
      for (const name of ["demo-decision", "retry-after", "x-ratelimit-limit", "ratelimit"]) expect(exposed).toContain(name);
      // Never: it costs more than the bucket holds.
      expect(decisionOf(await play(url, { cost: 6 })).retryMs).toBeNull();
      // A block outlasts the bucket.
      const blocked = { client: "eve", rate: 1, period: "5s", burst: 1, block: "1m" };
      while ((await play(url, blocked)).status === 200);
      expect(decisionOf(await play(url, blocked)).retryMs).toBeGreaterThan(50_000);
    }
  });

  test("two processes share one budget in Redis, and have two in memory", async () => {
    const { setup } = await open(demo);
    const made = await shown(setup);
    for (const [backend, admitted] of [
      ["Redis", 5],
      ["memory", 10],
    ] as const) {
      const urls = [0, 1].map((i) => addressIn(made, i, i === 0 ? "Express" : "Koa", backend));
      const replies = await Promise.all(Array.from({ length: 20 }, (_, i) => play(urls[i % 2]!, {})));
      expect(replies.filter(({ status }) => status === 200)).toHaveLength(admitted);
      expect(new Set(replies.map((reply) => decisionOf(reply).pid)).size).toBe(2);
    }
  });

  test.for([
    ["freeze", "frozen", "resume"],
    ["freeze", "frozen", "restart"],
    ["kill", "killed", "restart"],
  ] as const)("%s: processes decide by themselves within 150 ms; after %s and %s, Redis does again", async ([stop, state, start]) => {
    const { setup, act } = await open(demo);
    const made = await shown(setup);
    const urls = [0, 1].map((i) => addressIn(made, i, "Fastify", "Redis"));
    const ask = (): Promise<Reply[]> => Promise.all(urls.map((url) => play(url, { rate: 1000, burst: 1000 })));
    await ask();
    expect(await act(stop)).toEqual({ state });
    expect((await setup()).redis).toEqual({ state });
    const during: Reply[] = [];
    for (let i = 0; i < 20; i++) during.push(...(await ask()));
    expect(new Set(during.map((reply) => decisionOf(reply).source))).toEqual(new Set(["local"]));
    const took = during.map((reply) => decisionOf(reply).tookMs).sort((a, b) => a - b);
    // On a busy machine, each of the two processes may be late twice.
    expect(took.at(-5)).toBeLessThan(150);
    expect(took[took.length >> 1]).toBeLessThan(50);

    expect(await act(start)).toEqual({ state: "running" });
    const sources = async (): Promise<string[]> => (await ask()).map((reply) => decisionOf(reply).source);
    const end = performance.now() + 10_000;
    while ((await sources()).includes("local") && performance.now() < end) await sleep(50);
    expect(await sources()).toEqual(["backend", "backend"]);
  });

  test("actions that make no sense change nothing", async () => {
    const { setup, act, url } = await open(demo);
    await setup();
    expect(await act("resume")).toEqual({ state: "running" });
    await act("kill");
    expect(await act("freeze")).toEqual({ state: "killed" });
    expect(await act("kill")).toEqual({ state: "killed" });
    expect((await fetch(`${url}page/api/redis/flushall`, { method: "POST" })).status).toBe(404);
  });
});

test("a server that the environment names is used, and never touched", async () => {
  await using given = await startStandalone();
  const { setup, act } = await open(demo, { RATELIMIT_REDIS_URL: given.url, RATELIMIT_KEY_PREFIX: freshPrefix() });
  const made = await shown(setup);
  expect(made.redis.state).toBe("foreign");
  for (const action of ["freeze", "kill", "restart", "resume"] as const) expect((await act(action)).state).toBe("foreign");
  expect(decisionOf(await play(addressIn(made, 0, "Koa", "Redis"), {})).source).toBe("backend");
});

test("a Cluster that the environment names is offered", async () => {
  const { setup } = await open(demo, { ...serversEnv(), RATELIMIT_KEY_PREFIX: freshPrefix() });
  const made = await shown(setup);
  expect(made.backends.map(({ missing }) => missing)).toEqual([undefined, undefined, undefined]);
  expect((await play(addressIn(made, 1, "Express", "Redis Cluster"), {})).status).toBe(200);
});

test("without a Redis server, the page runs on memory and says what is missing", async () => {
  const { setup } = await open(demo, { REDIS_SERVER: "/nowhere/redis-server" });
  const made = await shown(setup);
  expect(made.redis).toEqual({ state: "missing", reason: expect.stringContaining("/nowhere/redis-server") as string });
  expect(made.backends[1]?.missing).toBe("Redis needs RATELIMIT_REDIS_URL");
  expect((await play(addressIn(made, 0, "Express", "memory"), {})).status).toBe(200);
});

test.for(["SIGINT", "SIGTERM", "SIGKILL"] as const)("%s ends the demo and its processes", async (signal) => {
  const { setup, end, act } = await open(demo);
  const made = await shown(setup);
  await act("freeze");
  expect(await end(signal)).toBe(signal === "SIGKILL" ? "SIGKILL" : 0);
  for (const { pid } of made.processes) await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow("ESRCH"), { timeout: 10_000 });
  const url = addressIn(made, 0, "Express", "memory");
  await expect(fetch(url)).rejects.toThrow("fetch failed");
});

async function shown(setup: OpenDemo["setup"]): Promise<Setup> {
  const made = await setup();
  expect(made.frameworks).toEqual(["Express", "Fastify", "Koa"]);
  return made;
}

/** Sends a POST with a `Host` that `fetch` would not send. */
function statusOf(url: string, host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request(url, { method: "POST", headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on("error", reject)
      .end();
  });
}
