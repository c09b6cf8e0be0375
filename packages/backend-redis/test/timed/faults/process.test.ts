import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { startFaultProxy, startStandalone } from "@ratelimit/testbed";
import { type Bundle, bundle } from "@ratelimit/testbed/bundle";
import { afterAll, beforeAll, expect, test } from "vitest";

let program: Bundle;
beforeAll(async () => {
  program = await bundle(join(import.meta.dirname, "../../support/lasting.ts"));
}, 60_000);
afterAll(() => program[Symbol.asyncDispose]());

const started = new Set<ChildProcess>();
afterAll(() => {
  for (const child of started) child.kill("SIGKILL");
});

function start(url: string, how: string): { child: ChildProcess; seen: Promise<Record<string, number>> } {
  const child = fork(program.path, [url, how], {
    execArgv: ["--unhandled-rejections=strict"],
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  started.add(child);
  const ended = once(child, "exit") as Promise<[number | null]>;
  const seen = text(child.stdout as NonNullable<typeof child.stdout>).then(async (output) => {
    expect(await ended).toEqual([0, null]);
    started.delete(child);
    return JSON.parse(output) as Record<string, number>;
  });
  return { child, seen };
}

test.concurrent("during 50 stalls of the event loop for 120 ms, no call that Redis answered is given up", { timeout: 60_000 }, async () => {
  await using redis = await startStandalone();
  const seen = await start(redis.url, "stall").seen;
  process.stdout.write(`stalls: ${JSON.stringify(seen)}\n`);
  // On a busy machine Redis itself may be late once or twice.
  expect(seen["redis"]).toBeGreaterThanOrEqual(48);
});

test.concurrent("Redis decides again as soon as a process that was suspended for 1.5 s goes on", { timeout: 60_000 }, async () => {
  await using redis = await startStandalone();
  const { child, seen } = start(redis.url, "ask");
  await once(child, "message");
  await sleep(500);
  child.kill("SIGSTOP");
  await sleep(1500);
  child.kill("SIGCONT");
  const resumedAt = Date.now();
  await sleep(1500);
  child.send("stop");
  const { redis: decided = 0, errors, lastLocal = 0 } = await seen;
  expect(errors).toBe(0);
  expect(decided).toBeGreaterThan(50);
  expect(lastLocal - resumedAt).toBeLessThanOrEqual(1000);
});

test.concurrent("a process ends by itself after close(), although its Redis never answers", { timeout: 60_000 }, async () => {
  await using redis = await startStandalone();
  await using proxy = await startFaultProxy(redis);
  await proxy.set("blackholeNew");
  const { source, closedMs } = await start(`redis://${proxy.host}:${proxy.port}`, "close").seen;
  expect([source, (closedMs as number) <= 2500]).toEqual(["local", true]);
});

test.concurrent("a process ends by itself after close(), although its Redis is gone", { timeout: 60_000 }, async () => {
  const { source, closedMs } = await start("redis://127.0.0.1:1", "close").seen;
  expect([source, (closedMs as number) <= 2500]).toEqual(["local", true]);
});
