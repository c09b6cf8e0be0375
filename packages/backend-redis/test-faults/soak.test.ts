import { setTimeout as sleep } from "node:timers/promises";
import type { Allowance } from "@ratelimit/conformance";
import { type FaultMode, startFaultProxy, startStandalone } from "@ratelimit/testbed";
import { randomOf } from "@ratelimit/testbed/random";
import { Redis } from "ioredis";
import { expect, test } from "vitest";
import { clock } from "../test/support/clock.ts";
import { excessOf, figures, lateOf, noiseOf, sources } from "../test/support/fault.ts";
import { startFleet } from "../test/support/fleet.ts";

/** The length of the run in seconds, and the seed of its faults. Set both to repeat a run. */
const seconds = Number(process.env["SOAK_SECONDS"] ?? 60);
const seed = Number(process.env["SOAK_SEED"] ?? Math.floor(Math.random() * 2 ** 31));

test(`a soak of ${seconds} s, with a fault every few seconds`, { timeout: (seconds + 60) * 1000 }, async () => {
  const random = randomOf(seed);
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
    "lost reply": network("cutOnReply", false),
    "half a reply": network("halfReply", false),
    garbage: network("garble", false),
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
    // Let Redis decide again, so that each window contains only its own fault.
    await sleep(3500);
    // Each process's local portion at the start, and one burst at the end, because the bucket filled or was lost in the meantime.
    allowances.push({ name, from, to: clock(), tokens: processes * Math.max(1, limit.burst / processes) + limit.burst });
  }
  const { decisions, events } = await fleet.stop();
  admin.disconnect();
  // The next fault comes after 3.5 s, and the clocks of the processes differ a little.
  const returns = backs.map((back) => {
    const local = decisions
      .filter(({ from, source }) => from > back && from < back + 3400 && source === "local")
      .map(({ from }) => from - back);
    return Math.max(0, ...local);
  });
  const summary = returns.map((ms, i) => `${allowances[i]?.name} ${ms.toFixed()} ms`).join(", ");
  process.stdout.write(`soak, SOAK_SEED=${seed}: ${figures(decisions)}; back after: ${summary}\n`);

  expect(lateOf(decisions), `SOAK_SEED=${seed}`).toEqual([]);
  expect(events.flatMap(noiseOf)).toEqual([]);
  expect(excessOf(decisions, allowances, limit)).toEqual([]);
  expect(Math.max(...returns), `SOAK_SEED=${seed}`).toBeLessThanOrEqual(3000);
  const last = Math.max(...decisions.map(({ to }) => to));
  expect(sources(decisions.filter(({ from }) => from > last - 500))).toBe("backend");
});
