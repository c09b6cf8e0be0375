import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startSentinel } from "@ratelimit/testbed";
import { type Bundle, bundle } from "@ratelimit/testbed/bundle";
import { Cluster, Redis } from "ioredis";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import type { Go, Job, Report } from "../support/caller.ts";
import { answerTo, startChild } from "../support/child.ts";

const processes = 4;
const { url, cluster } = inject("redis");
const load = { rate: 1000, burst: 500, crowd: 200 };
const shortMs = 1500;

let program: Bundle;
beforeAll(async () => {
  program = await bundle(join(import.meta.dirname, "../support/caller.ts"));
});
afterAll(() => program[Symbol.asyncDispose]());

test("four processes use at least 97 % of one key's shared budget, and never exceed it", { timeout: 30_000 }, async () => {
  const ran = await run({ ...load, backend: { url }, name: randomUUID(), keys: ["key"] }, shortMs);
  assertShared(ran, load, 1);
});

test("so do they while Redis forgets its scripts ten times a second", { timeout: 30_000 }, async () => {
  const redis = new Redis(url);
  const flushing = setInterval(() => void redis.script("FLUSH"), 100);
  const ran = await run({ ...load, backend: { url }, name: randomUUID(), keys: ["key"] }, shortMs);
  clearInterval(flushing);
  redis.disconnect();
  assertShared(ran, load, 1);
});

test("so do they in a Cluster with keys on all three masters", { timeout: 30_000 }, async () => {
  const name = randomUUID();
  const keys = await keysOnAllMasters(name);
  const ran = await run({ ...load, rate: 400, burst: 300, backend: { cluster }, name, keys }, shortMs);
  assertShared(ran, { ...load, rate: 400, burst: 300 }, keys.length);
});

test("a failover returns at most one burst, and ends", { timeout: 60_000 }, async () => {
  await using group = await startSentinel();
  const backend = { sentinels: group.addresses, name: group.name };
  const running = run({ ...load, backend, name: randomUUID(), keys: ["key"] }, 5000, async () => {
    await sleep(700);
    await group.master.kill();
  });
  const ran = await running;
  const { reports } = ran;
  const { admitted, atMost, atLeast } = summary(ran);
  process.stdout.write(`${admitted[0]} tokens in ${atLeast.toFixed(3)} s with a failover\n`);
  expect(mistakesOf(reports)).toEqual([]);
  expect(admitted[0]).toBeLessThanOrEqual(2 * load.burst + load.rate * atMost);
  // A token admitted near the end shows that the failover is over.
  expect(atLeast).toBeGreaterThan(4.5);
  for (const report of reports) expect(report.failures).toBeGreaterThan(0);
});

/** Starts the processes, lets them all begin together, and collects their reports. */
async function run(job: Job, forMs: number, meanwhile?: () => Promise<void>): Promise<Run> {
  const children = Array.from({ length: processes }, () => startChild(program.path));
  try {
    await Promise.all(children.map((child) => answerTo(child, job)));
    const until = Date.now() + forMs;
    const reports = Promise.all(children.map((child) => answerTo(child, { until } satisfies Go)));
    await meanwhile?.();
    const ends = Promise.all(children.map(async (child) => (await once(child, "exit"))[0] as unknown));
    const seen = (await reports) as Report[];
    expect(await ends).toEqual(children.map(() => 0));
    return { reports: seen, until };
  } finally {
    for (const child of children) child.kill("SIGKILL");
  }
}

/** The reports of the processes, and the time until which all of them made calls. */
interface Run {
  readonly reports: readonly Report[];
  readonly until: number;
}

interface Summary {
  /** The tokens admitted in total for each key. */
  readonly admitted: readonly number[];
  /**
   * The longest possible time from the first token to the last, and the shortest possible time in which all processes made calls, in
   * seconds of the clock of Redis, which counts whole ms.
   */
  readonly atMost: number;
  readonly atLeast: number;
}

function summary({ reports, until }: Run): Summary {
  const last = Math.max(...reports.map((report) => report.last));
  return {
    admitted: (reports[0] as Report).admitted.map((_, key) => reports.reduce((sum, report) => sum + (report.admitted[key] as number), 0)),
    atMost: (last - Math.min(...reports.map(({ from }) => from)) + 1) / 1000,
    atLeast: (Math.min(last, until) - Math.min(...reports.map(({ first }) => first)) - 1) / 1000,
  };
}

function assertShared(run: Run, { rate, burst }: { rate: number; burst: number }, keys: number): void {
  const { reports } = run;
  const { admitted, atMost, atLeast } = summary(run);
  const calls = reports.reduce((sum, report) => sum + report.calls, 0);
  const shares = admitted.map((tokens) => `${((100 * tokens) / (burst + rate * atLeast)).toFixed(2)} %`);
  process.stdout.write(`${calls} calls in ${atLeast.toFixed(3)} s admitted ${admitted.join(", ")} tokens: ${shares.join(", ")}\n`);
  expect(mistakesOf(reports)).toEqual([]);
  expect(reports.map(({ failures }) => failures)).toEqual(reports.map(() => 0));
  expect(admitted).toHaveLength(keys);
  for (const tokens of admitted) {
    expect(tokens).toBeLessThanOrEqual(burst + rate * atMost);
    expect(tokens).toBeGreaterThanOrEqual(0.97 * (burst + rate * atLeast));
  }
}

function mistakesOf(reports: readonly Report[]): string[] {
  return reports.flatMap(({ mistakes }) => mistakes);
}

/** Finds one key for each master. The three masters share the slots evenly, in order. */
async function keysOnAllMasters(name: string): Promise<string[]> {
  const client = new Cluster([...cluster]);
  const found = new Map<number, string>();
  for (let i = 0; found.size < 3; i++) {
    const slot = await client.cluster("KEYSLOT", `ratelimit:${name}:key-${i}`);
    found.set(Math.floor((Number(slot) * 3) / 16_384), `key-${i}`);
  }
  client.disconnect();
  return [...found.values()];
}
