import { setTimeout as sleep } from "node:timers/promises";
import { worstWindow } from "@ratelimit/conformance";
import { type SentinelGroup, startSentinel } from "@ratelimit/testbed";
import type { Bundle } from "@ratelimit/testbed/bundle";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { monotonic } from "../test/support/clock.ts";
import { bundleLeaser, startLeasers } from "../test/support/leasers.ts";

// It takes longer to fill than a failover takes, so that a bucket that is lost shows.
const limit = { rate: 200, period: 1, burst: 2000 } as const;
const processes = 4;

let program: Bundle;
beforeAll(async () => {
  program = await bundleLeaser();
}, 60_000);
afterAll(() => program[Symbol.asyncDispose]());

interface Failover {
  readonly hurt: (group: SentinelGroup) => Promise<void>;
  /** Whether the new master does not know of most of what was admitted. */
  readonly isLost: boolean;
}

const failovers: Readonly<Record<string, Failover>> = {
  "the master is killed": {
    hurt: async ({ master }) => {
      await sleep(1500);
      await master.kill();
    },
    isLost: false,
  },
  "a replica is cut off, and then its master is killed": {
    hurt: async ({ master, replicas: [replica] }) => {
      replica?.pause();
      // A paused replica would still find in its socket what the master sent.
      const admin = new Redis({ ...master.address, lazyConnect: true });
      await admin.connect();
      await admin.client("KILL", "TYPE", "REPLICA");
      admin.disconnect();
      await sleep(1500);
      await master.kill();
      replica?.resume();
    },
    isLost: true,
  },
};

describe("with leases and Sentinel, at most one more burst is admitted if", () => {
  test.for(Object.entries(failovers))("%s", { timeout: 60_000 }, async ([name, { hurt, isLost }]) => {
    await using group = await startSentinel();
    // While there is no master, nobody decides but those who have tokens in hand.
    const backend = { sentinels: group.addresses, name: group.name, outage: "closed" } as const;
    await using leasers = await startLeasers(program, processes, { backend, name: "leases", limit, lease: "200ms", perSecond: 1000 });
    const from = monotonic();
    await hurt(group);
    await sleep(8000);
    const to = monotonic();
    const admitted = await leasers.stop();
    expect((await group.currentMaster()).port).not.toBe(group.master.port);
    const { excess } = worstWindow(admitted, limit);
    const closed = leasers.sources.get("closed") ?? 0;
    const leasedAgain = admitted.filter(({ source, from }) => source === "lease" && from > to - 1000).length;
    process.stdout.write(`${name}: ${excess.toFixed(1)} tokens more than without; ${closed} calls while there was no master\n`);
    expect(closed).toBeGreaterThan(100);
    expect(leasedAgain).toBeGreaterThan(limit.rate / 2);
    if (isLost) expect(excess).toBeGreaterThan(0);
    const failover = { name, from, to, tokens: limit.burst };
    expect(worstWindow(admitted, { ...limit, allowances: [failover] }).excess).toBeLessThanOrEqual(0);
  });
});
