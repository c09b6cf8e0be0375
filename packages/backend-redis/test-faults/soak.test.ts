import { setTimeout as sleep } from "node:timers/promises";
import type { Allowance } from "@ratelimit/conformance";
import { type FaultMode, startFaultProxy, startStandalone } from "@ratelimit/testbed";
import { Redis } from "ioredis";
import { expect, test } from "vitest";
import { excessOf, figures, lateOf, noiseOf, sources } from "../test/support/fault.ts";
import { startFleet } from "../test/support/fleet.ts";
import { clock } from "../test/support/load.ts";

/** What the run goes by: its length in seconds, and the seed of its faults, by which it can be run again. */
const seconds = Number(process.env["SOAK_SECONDS"] ?? 60);
const seed = Number(process.env["SOAK_SEED"] ?? Math.floor(Math.random() * 2 ** 31));

/** The same numbers for the same seed (mulberry32). */
function randomBy(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

test(`a soak of ${seconds} s, with a fault every few seconds`, { timeout: (seconds + 60) * 1000 }, async () => {
  const random = randomBy(seed);
  const limit = { rate: 100, period: 1, burst: 50 } as const;
  const processes = 3;
  await using redis = await startStandalone();
  await using proxy = await startFaultProxy(redis);
  const admin = new Redis(redis.url);
  admin.on("error", () => {});
  const network =
    (mode: FaultMode, isCut: boolean) =>
    async (ms: number): Promise<void> => {
      await proxy.set(mode);
      if (isCut) proxy.cut();
      await sleep(ms);
      await proxy.set("pass");
    };
  const faults: Readonly<Record<string, (ms: number) => Promise<unknown>>> = {
    freeze: async (ms) => {
      redis.server.pause();
      await sleep(ms);
      redis.server.resume();
    },
    "kill and restart empty": async (ms) => {
      await redis.server.kill();
      await sleep(ms);
      await redis.server.restart({ empty: true });
    },
    refuse: network("refuse", true),
    "black hole": network("blackholeEstablished", false),
    "lose a reply": network("cutOnReply", false),
    "half a reply": network("halfReply", false),
    garble: network("garble", false),
    HTTP: network("http", false),
    "300 ms": network({ latency: { up: 150, down: 150 } }, false),
    cut: network("pass", true),
    FLUSHALL: () => admin.flushall(),
    "SCRIPT FLUSH": () => admin.script("FLUSH"),
    "pause of writes": async (ms) => {
      await admin.call("CLIENT", "PAUSE", String(Math.ceil(ms)), "WRITE");
      await sleep(ms);
    },
    OOM: async (ms) => {
      await admin.config("SET", "maxmemory", "1");
      await sleep(ms);
      await admin.config("SET", "maxmemory", "0");
    },
    "no more writes": async (ms) => {
      await admin.config("SET", "min-replicas-to-write", "1");
      await sleep(ms);
      await admin.config("SET", "min-replicas-to-write", "0");
    },
  };
  await using fleet = await startFleet(processes, {
    backend: { url: `redis://${proxy.host}:${proxy.port}`, instances: processes },
    name: "soak",
    limit,
    keys: ["a", "b", "c"],
    everyMs: 20,
  });

  const names = Object.keys(faults);
  const allowances: Allowance[] = [];
  const backs: number[] = [];
  for (const end = clock() + seconds * 1000; clock() < end; ) {
    const name = names[Math.floor(random() * names.length)] as string;
    const from = clock();
    await faults[name]?.(100 + random() * 2400);
    backs.push(clock());
    // Time for the last to return, so that each window is judged by its own events.
    await sleep(3500);
    // Each process's share at the onset, and a burst in the end: a bucket that filled, or was lost, while local ones were used.
    allowances.push({ name, from, to: clock(), tokens: processes * Math.max(1, limit.burst / processes) + limit.burst });
  }
  const { decisions, events } = await fleet.stop();
  admin.disconnect();
  // The next fault comes after 3.5 s, by clocks that differ by a little.
  const returns = backs.map((back) => {
    const local = decisions
      .filter(({ from, source }) => from > back && from < back + 3400 && source === "local")
      .map(({ from }) => from - back);
    return Math.max(0, ...local);
  });
  const told = returns.map((ms, i) => `${allowances[i]?.name} ${ms.toFixed()} ms`).join(", ");
  process.stdout.write(`soak, SOAK_SEED=${seed}: ${figures(decisions)}; back after: ${told}\n`);

  expect(lateOf(decisions), `SOAK_SEED=${seed}`).toEqual([]);
  expect(events.flatMap(noiseOf)).toEqual([]);
  expect(excessOf(decisions, allowances, limit)).toEqual([]);
  expect(Math.max(...returns), `SOAK_SEED=${seed}`).toBeLessThanOrEqual(3000);
  const last = Math.max(...decisions.map(({ to }) => to));
  expect(sources(decisions.filter(({ from }) => from > last - 500))).toBe("backend");
});
