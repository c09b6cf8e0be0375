import { setTimeout as sleep } from "node:timers/promises";
import { RedisBackend } from "@ratelimit/backend-redis";
import { worstWindow } from "@ratelimit/conformance";
import { RateLimiter } from "@ratelimit/core";
import { type Standalone, startStandalone } from "@ratelimit/testbed";
import type { Bundle } from "@ratelimit/testbed/bundle";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { monotonic } from "../../support/clock.ts";
import type { Admitted, LeaserJob } from "../../support/leaser.ts";
import { bundleLeaser, leasedPart, startLeasers } from "../../support/leasers.ts";
import { strict } from "../../support/strict.ts";

const limit = { rate: 500, period: 1, burst: 200 } as const;

/** The lease, but no more than a quarter of the time in which the bucket fills. */
const horizonMs = 100;

/** How long the tokens of a process that is gone may stay out of reach, as docs/leases.md promises. */
const awayMs = 3 * horizonMs;

let program: Bundle;
beforeAll(async () => {
  program = await bundleLeaser();
}, 60_000);
afterAll(() => program[Symbol.asyncDispose]());

/** By default, far more calls than there are tokens, so that all are used and none too many would go unnoticed. */
function jobOn({ url }: Standalone, perSecond: number = 5 * limit.rate): LeaserJob {
  return { backend: { url, ...strict }, name: "leases", limit, lease: "200ms", perSecond };
}

/** The part of the limit that was used in an interval. */
function usedPart(admitted: readonly Admitted[], start: number, end: number): number {
  return admitted.filter(({ from, to }) => from >= start && to <= end).length / ((limit.rate * (end - start)) / 1000);
}

test("if one of three processes is killed, the others stay within the limit and use all of it", { timeout: 60_000 }, async () => {
  await using redis = await startStandalone();
  await using leasers = await startLeasers(program, 3, jobOn(redis));
  await sleep(1500);
  const killedAt = monotonic();
  leasers.processes[0]?.kill("SIGKILL");
  await sleep(2000);
  const endedAt = monotonic();
  const admitted = await leasers.stop();
  const used = usedPart(admitted, killedAt + awayMs, endedAt);
  const { excess } = worstWindow(admitted, limit);
  process.stdout.write(`a process killed: ${(100 * used).toFixed(1)} % of the limit afterwards, excess ${excess.toFixed(1)} tokens\n`);
  expect(leasedPart(leasers)).toBeGreaterThan(0.8);
  expect(excess).toBeLessThanOrEqual(0);
  expect(used).toBeGreaterThan(0.9);
});

test("the tokens of a process that was killed are back in time", { timeout: 60_000 }, async () => {
  await using redis = await startStandalone();
  // It asks for half of what flows back, so that all tokens in use are those that it has leased.
  const job = jobOn(redis, limit.rate / 2);
  await using leasers = await startLeasers(program, 1, job);
  const backend = new RedisBackend({ url: redis.url, ...strict });
  const observer = new RateLimiter({ ...limit, name: job.name, backend });
  await sleep(1000);
  const killedAt = monotonic();
  leasers.processes[0]?.kill("SIGKILL");
  const left: number[] = [];
  let lookedAt = killedAt;
  while (left.at(-1) !== limit.burst && lookedAt < killedAt + 5000) {
    left.push((await observer.peek("key")).remaining);
    lookedAt = monotonic();
    await sleep(5);
  }
  await backend.close();
  const held = limit.burst - (left[0] as number);
  process.stdout.write(`a process killed: ${held} tokens back after ${(lookedAt - killedAt).toFixed()} ms\n`);
  expect(held).toBeGreaterThan(5);
  expect(leasedPart(leasers)).toBeGreaterThan(0.8);
  expect(lookedAt - killedAt).toBeLessThanOrEqual(awayMs + (1000 * held) / limit.rate + 20);
});

test("a process that was suspended for 1.5 s does not spend what it leased before", { timeout: 60_000 }, async () => {
  await using redis = await startStandalone();
  // Each asks for less than its part, so that it nearly always has tokens in hand.
  await using leasers = await startLeasers(program, 2, jobOn(redis, 0.4 * limit.rate));
  const [suspended] = leasers.processes;
  await sleep(1500);
  suspended?.kill("SIGSTOP");
  await sleep(1500);
  // Without Redis, it could only spend what it had in hand.
  redis.server.pause();
  const resumedAt = monotonic();
  suspended?.kill("SIGCONT");
  await sleep(300);
  const redisAt = monotonic();
  redis.server.resume();
  await sleep(1500);
  const admitted = await leasers.stop();
  const { excess } = worstWindow(admitted, limit);
  const ofIts = leasers.admitted[0]?.filter(({ from }) => from > resumedAt) ?? [];
  process.stdout.write(`a process suspended for 1.5 s: ${ofIts.length} tokens admitted afterwards, excess ${excess.toFixed(1)} tokens\n`);
  expect(leasedPart(leasers)).toBeGreaterThan(0.8);
  expect(ofIts.filter(({ source, to }) => source === "lease" && to < redisAt)).toEqual([]);
  expect(ofIts.length).toBeGreaterThan(100);
  expect(excess).toBeLessThanOrEqual(0);
});

test("if Redis forgets everything, at most one more burst is admitted, and what was leased", { timeout: 60_000 }, async () => {
  // So many tokens that it shows, although some are always in hand.
  const large = { ...limit, burst: 1000 };
  await using redis = await startStandalone();
  const admin = new Redis(redis.url);
  await using leasers = await startLeasers(program, 3, { ...jobOn(redis), limit: large });
  await sleep(1500);
  const from = monotonic();
  await admin.flushall();
  const to = monotonic();
  admin.disconnect();
  await sleep(1500);
  const admitted = await leasers.stop();
  const { excess } = worstWindow(admitted, large);
  process.stdout.write(`Redis forgot everything: ${excess.toFixed(1)} tokens more than without\n`);
  expect(excess).toBeGreaterThan(0);
  // What was leased before is spent beside the new bucket: 200 ms of the rate, within 400 ms.
  const forgotten = { name: "FLUSHALL", from, to: to + 400, tokens: large.burst + 0.2 * large.rate };
  expect(worstWindow(admitted, { ...large, allowances: [forgotten] }).excess).toBeLessThanOrEqual(0);
});
