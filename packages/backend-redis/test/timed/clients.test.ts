import { setTimeout as sleep } from "node:timers/promises";
import { RedisBackend } from "@ratelimit/backend-redis";
import { RateLimiter } from "@ratelimit/core";
import { type Standalone, startCluster, startSentinel, startStandalone } from "@ratelimit/testbed";
import { Redis } from "ioredis";
import { describe, test } from "vitest";
import { slotOf } from "../../src/slots.ts";
import { clock } from "../support/clock.ts";
import { type Fault, lateOf, noiseOf, runFault, sources } from "../support/fault.ts";
import { libraries } from "../support/libraries.ts";
import { Events, Load } from "../support/load.ts";

/** A fault of one server. */
interface ServerFault extends Omit<Fault, "backend" | "hurt" | "heal"> {
  readonly hurt: (server: Standalone, admin: Redis) => unknown;
  readonly heal: (server: Standalone) => unknown;
}

/** How long a library may take to find a server that has returned, in ms. GLIDE waits longest between its attempts. */
const backMs = 2500;

/** Twice the usual timeout, so that a busy machine is not taken for a second outage. */
const patientMs = 200;

const faults: Readonly<Record<string, ServerFault>> = {
  "killed mid-flight, and restarted empty": {
    hurt: ({ server }) => server.kill(),
    heal: ({ server }) => server.restart({ empty: true }),
    forMs: 1500,
    meanwhile: "local",
    backMs,
    timeoutMs: patientMs,
  },
  "frozen 2 s": {
    hurt: ({ server }) => server.pause(),
    heal: ({ server }) => server.resume(),
    forMs: 2000,
    meanwhile: "local",
    backMs,
    timeoutMs: patientMs,
  },
  "SCRIPT FLUSH every 100 ms": {
    hurt: (_, admin) => {
      const timer = setInterval(() => void admin.script("FLUSH"), 100);
      setTimeout(() => clearInterval(timer), 1500);
    },
    heal: () => {},
    forMs: 1500,
    meanwhile: "backend",
    timeoutMs: 250,
    outages: 0,
    bursts: 0,
  },
};

const cases = libraries.flatMap(({ name, standalone }) =>
  Object.entries(faults).map(([what, fault]) => ({ library: name, what, fault, standalone })),
);

describe("a server that is", () => {
  test.concurrent.for(cases)("$what, through $library", { timeout: 40_000 }, async ({ library, what, fault, standalone }, { expect }) => {
    await using server = await startStandalone();
    await using opened = await standalone(server);
    const admin = new Redis(server.url);
    admin.on("error", () => {});
    const { problems } = await runFault(`${library}: ${what}`, {
      ...fault,
      backend: { client: opened.client, timeout: `${fault.timeoutMs ?? 100}ms` },
      hurt: () => fault.hurt(server, admin),
      heal: () => fault.heal(server),
    });
    admin.disconnect();
    expect(problems).toEqual([]);
  });
});

describe("a Cluster whose master is killed decides again, and meanwhile with its other masters", () => {
  test.concurrent.for(libraries)("through $name", { timeout: 60_000 }, async ({ name: library, ...open }, { expect }) => {
    await using cluster = await startCluster();
    await using opened = await open.cluster(cluster.addresses);
    const events = new Events();
    await using backend = new RedisBackend({ client: opened.client, denyCache: false, timeout: "150ms", onOutage: events.listener });
    const limiter = new RateLimiter({ rate: 100_000, name: "failover", backend });
    const keys = Array.from({ length: 12 }, (_, i) => `k${i}`);
    const masterOf = (key: string): number => Math.floor((slotOf(`ratelimit:failover:${key}`) * 3) / 16_384);
    const ask = (): Promise<string[]> => Promise.all(keys.map(async (key) => (await limiter.check(key)).source));
    while ((await ask()).some((source) => source !== "backend")) await sleep(50);
    const killedAt = clock();
    await cluster.masters[0]?.kill();
    await sleep(900);
    const meanwhile = await ask();
    const kept = meanwhile.filter((_, i) => masterOf(keys[i] as string) !== 0);
    expect(kept.filter((source) => source === "backend").length / kept.length).toBeGreaterThan(0.5);
    let back = 0;
    while (back < 5) {
      back = (await ask()).every((source) => source === "backend") ? back + 1 : 0;
      if (clock() - killedAt > 20_000) throw new Error(`Still ${(await ask()).join()} after 20 s: ${events.reasons.slice(-500)}`);
      await sleep(50);
    }
    process.stdout.write(`${library}: all of a Cluster back ${((clock() - killedAt) / 1000).toFixed(1)} s after a master was killed\n`);
    expect(noiseOf(events)).toEqual([]);
  });
});

const watched = libraries.flatMap(({ name, sentinel }) => (sentinel === undefined ? [] : [{ name, sentinel }]));

describe("a master that Sentinels replace because it is killed", () => {
  test.concurrent.for(watched)("through $name", { timeout: 60_000 }, async ({ name: library, sentinel }, { expect }) => {
    await using group = await startSentinel();
    await using opened = await sentinel(group);
    const events = new Events();
    await using backend = new RedisBackend({ client: opened.client, denyCache: false, onOutage: events.listener });
    const load = new Load(backend);
    await sleep(500);
    const killedAt = clock();
    await group.master.kill();
    await sleep(11_000);
    const decisions = await load.stop();
    const lastLocal = Math.max(...decisions.filter(({ source }) => source === "local").map(({ from }) => from));
    process.stdout.write(`${library}: local until ${((lastLocal - killedAt) / 1000).toFixed(1)} s after a master was killed\n`);
    expect([...lateOf(decisions), ...noiseOf(events)]).toEqual([]);
    expect(sources(decisions.filter(({ from }) => from > killedAt + 10_500))).toBe("backend");
  });
});
