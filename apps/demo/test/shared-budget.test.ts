import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type Program, program } from "./support/program.ts";
import { freshPrefix, serversEnv } from "./support/redis.ts";
import { getMany } from "./support/requests.ts";

// Starting two processes is slow on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

let server: Program;
beforeAll(async () => {
  server = await program("test/programs/server.ts");
});
afterAll(() => server[Symbol.asyncDispose]());

test.for([
  ["Redis", "Express", "Koa"],
  ["Redis", "Koa", "Fastify"],
  ["Redis Cluster", "Fastify", "Express"],
] as const)("on %s, an %s process and a %s process share one budget, exact to the token", async ([backend, ...frameworks]) => {
  const env = { ...serversEnv(), RATELIMIT_KEY_PREFIX: freshPrefix() };
  const running = frameworks.map((framework) => server.start([backend, framework], env));
  const urls = await Promise.all(running.map(async ({ wrote }) => (await wrote("\n\n")).trim()));
  expect(new Set(urls).size).toBe(2);
  expect(running[0]?.child.pid).not.toBe(running[1]?.child.pid);

  const start = performance.now();
  const each = await Promise.all(urls.map((url) => getMany(100, `${url}/api/data`)));
  const refill = Math.floor((performance.now() - start + 5) / 600);

  const statuses = each.flatMap(({ replies }) => replies.map(({ status }) => status));
  expect(statuses.filter((status) => status !== 200 && status !== 429)).toEqual([]);
  const [first, second] = each.map(({ admitted }) => admitted) as [number, number];
  expect(first + second).toBeGreaterThanOrEqual(150);
  expect(first + second).toBeLessThanOrEqual(150 + refill);
  // Both were used at the same time, so neither can have taken the whole budget.
  expect(Math.min(first, second)).toBeGreaterThan(0);

  for (const { child } of running) child.kill("SIGTERM");
  expect(await Promise.all(running.map(({ ended }) => ended))).toEqual([0, 0]);
});
