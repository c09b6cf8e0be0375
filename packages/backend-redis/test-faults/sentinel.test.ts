import { setTimeout as sleep } from "node:timers/promises";
import { type SentinelGroup, startSentinel } from "@ratelimit/testbed";
import { Redis } from "ioredis";
import { describe, test } from "vitest";
import { clock } from "../test/support/clock.ts";
import { excessOf, figures, lateOf, noiseOf, sources } from "../test/support/fault.ts";
import { startFleet } from "../test/support/fleet.ts";

const limit = { rate: 100, period: 1, burst: 50 } as const;
const processes = 3;

interface Failover {
  readonly hurt: (group: SentinelGroup) => unknown;
  /** How many ms it takes until nothing changes anymore. */
  readonly forMs: number;
  readonly heal?: (group: SentinelGroup) => unknown;
}

const failovers: Readonly<Record<string, Failover>> = {
  "the master is killed": { hurt: ({ master }) => master.kill(), forMs: 7000 },
  "a replica lags and then its master is killed": {
    hurt: async ({ master, replicas: [replica] }) => {
      replica?.pause();
      await sleep(800);
      await master.kill();
      replica?.resume();
    },
    forMs: 7000,
  },
  "the master is frozen, replaced, and resumes as a second master": {
    hurt: ({ master }) => master.pause(),
    forMs: 6500,
    heal: ({ master }) => master.resume(),
  },
  "a failover is requested": {
    hurt: async ({ sentinels: [sentinel], name }) => {
      const redis = new Redis({ host: sentinel?.host ?? "", port: sentinel?.port ?? 0 });
      await redis.call("SENTINEL", "FAILOVER", name);
      redis.disconnect();
    },
    forMs: 5000,
  },
};

describe("with Sentinel, decisions stay in time and within the limit if", () => {
  test.for(Object.entries(failovers))("%s", { timeout: 60_000 }, async ([name, { hurt, forMs, heal }], { expect }) => {
    await using group = await startSentinel();
    await using fleet = await startFleet(processes, {
      backend: { sentinels: group.addresses, name: group.name, instances: processes },
      name: "failover",
      limit,
      keys: ["a", "b"],
      everyMs: 20,
    });
    await sleep(1500);
    const hurtAt = clock();
    await hurt(group);
    await sleep(forMs);
    await heal?.(group);
    await sleep(2500);
    const { decisions, events } = await fleet.stop();
    expect((await group.currentMaster()).port).not.toBe(group.master.port);
    const endedAt = Math.max(...decisions.map(({ to }) => to));
    const lastLocal = Math.max(...decisions.filter(({ source }) => source === "local").map(({ from }) => from));
    process.stdout.write(`${name}: ${figures(decisions)}; local until ${((lastLocal - hurtAt) / 1000).toFixed(1)} s after it\n`);
    expect(lateOf(decisions)).toEqual([]);
    expect(events.flatMap(noiseOf)).toEqual([]);
    expect(sources(decisions.filter(({ from }) => from > endedAt - 500))).toBe("backend");
    // Each process uses its local portion once, and the new master does not know of up to one burst.
    const onset = processes * Math.max(1, limit.burst / processes);
    expect(excessOf(decisions, [{ name, from: hurtAt, to: endedAt, tokens: onset + limit.burst }], limit)).toEqual([]);
  });
});
