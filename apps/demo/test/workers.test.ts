import { expect, test, vi } from "vitest";
import type { Admitted } from "./programs/threads.ts";
import { program } from "./support/program.ts";
import { freshPrefix, serversEnv } from "./support/redis.ts";
import { get, type Reply } from "./support/requests.ts";

// Starting processes or threads is slow on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

const env = (): Record<string, string> => ({ ...serversEnv(), RATELIMIT_KEY_PREFIX: freshPrefix() });

test("worker threads: each has its own budget in memory, they share one in Redis, and all end by themselves", async () => {
  await using threads = await program("test/programs/threads.ts");
  const { ended, output } = threads.start([], env());
  expect(await ended).toBe(0);
  expect(output.stderr).toBe("");
  const [first, second] = JSON.parse(output.stdout) as [Admitted, Admitted];
  expect([first.memory, second.memory]).toEqual([50, 50]);
  expect(first.redis + second.redis).toBe(50);
});

test("node:cluster: two workers on one port share one budget in Redis, exact to the token, and none in memory", async () => {
  await using workers = await program("test/programs/cluster.ts");
  const { child, ended, wrote, output } = workers.start([], env());
  const url = (await wrote("\n\n")).trim();
  // Each request uses a new connection, six at a time, so that the workers take turns.
  const ask = async (path: string): Promise<Reply[]> => {
    const replies: Reply[] = [];
    while (replies.length < 240)
      replies.push(...(await Promise.all([1, 2, 3, 4, 5, 6].map(() => get(`${url}${path}`, { Connection: "close" })))));
    return replies;
  };
  for (const [path, budget] of [
    ["/shared", 50],
    ["/own", 100],
  ] as const) {
    const replies = await ask(path);
    expect(replies.filter(({ status }) => status !== 200 && status !== 429)).toEqual([]);
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(budget);
    expect(new Set(replies.map(({ headers }) => headers.get("x-worker")))).toEqual(new Set(["1", "2"]));
  }
  child.kill("SIGTERM");
  expect(await ended).toBe(0);
  expect(output.stderr).toBe("");
});
