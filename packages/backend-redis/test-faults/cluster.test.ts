import { setTimeout as sleep } from "node:timers/promises";
import { RedisBackend } from "@ratelimit/backend-redis";
import { type RedisCluster, type RedisServer, startCluster } from "@ratelimit/testbed";
import { Redis } from "ioredis";
import { describe, test } from "vitest";
import { slotOf } from "../src/slots.ts";
import { clock } from "../test/support/clock.ts";
import { excessOf, figures, lateOf, noiseOf, sources } from "../test/support/fault.ts";
import { type Decision, Events, Load, tight } from "../test/support/load.ts";

const slots = 16_384;
const name = "load";

/** A timeout so long that a busy machine does not look like a fault in tests that allow none. */
const patientMs = 600;

/** The keys of the wide limit: two on each of three masters. */
const keys = [0, 1, 2].flatMap((master) =>
  Array.from({ length: 100 }, (_, i) => `k${i}`)
    .filter((key) => masterOf(key) === master)
    .slice(0, 2),
);

function masterOf(key: string, limiter: Decision["limiter"] = "wide"): number {
  return Math.floor((slotOf(`ratelimit:${name}-${limiter}:${key}`) * 3) / slots);
}

function client({ host, port }: RedisServer): Redis {
  const redis = new Redis({ host, port });
  redis.on("error", () => {});
  return redis;
}

/** Resolves when the replica of a lost master has taken over. On a busy machine, a Cluster takes longer to agree that one is lost. */
async function isReplaced({ masters }: RedisCluster, lost: number): Promise<void> {
  const node = client(masters[(lost + 1) % 3] as RedisServer);
  const mastersThat = async (fail: boolean): Promise<number> =>
    String(await node.call("CLUSTER", "NODES"))
      .split("\n")
      .filter((line) => line.includes("master") && line.includes("fail") === fail).length;
  while ((await mastersThat(true)) !== 1 || (await mastersThat(false)) !== 3) await sleep(50);
  node.disconnect();
}

/** Resolves when all masters report that the Cluster works. */
async function isUp({ masters }: RedisCluster): Promise<void> {
  for (const master of masters) {
    const node = client(master);
    while (!String(await node.call("CLUSTER", "INFO")).includes("cluster_state:ok")) await sleep(10);
    node.disconnect();
  }
}

/** Puts a load on a Cluster while `hurt` does something to it. */
async function under(
  cluster: RedisCluster,
  hurt: () => Promise<unknown>,
  timeoutMs: number = 150,
): Promise<{ decisions: readonly Decision[]; events: Events; hurtAt: number; healedAt: number }> {
  const events = new Events();
  await using backend = new RedisBackend({
    cluster: cluster.addresses,
    denyCache: false,
    timeout: `${timeoutMs}ms`,
    onOutage: events.listener,
  });
  const load = new Load(backend, { keys, timeoutMs, name });
  await sleep(1000);
  const hurtAt = clock();
  await hurt();
  const healedAt = clock();
  await sleep(2000);
  const decisions = await load.stop();
  return { decisions, events, hurtAt, healedAt };
}

const problemsOf = (decisions: readonly Decision[], events: Events): string[] => [...lateOf(decisions), ...noiseOf(events)];

describe("in a Cluster", () => {
  test.concurrent.for([
    ["killed", true],
    ["frozen", false],
  ] as const)(
    "if one of three masters is %s, Redis still decides all keys of the others",
    { timeout: 60_000 },
    async ([how, isKilled], { expect }) => {
      // By default a Cluster that misses one master refuses every key.
      await using cluster = await startCluster({ args: ["--cluster-require-full-coverage", "no"] });
      const dead = masterOf("key", "tight");
      const { decisions, events, hurtAt, healedAt } = await under(
        cluster,
        async () => {
          if (isKilled) await cluster.masters[dead]?.kill();
          else cluster.masters[dead]?.pause();
          await isReplaced(cluster, dead);
          await sleep(3000);
        },
        patientMs,
      );
      const others = decisions.filter(({ limiter, key, from }) => limiter === "wide" && masterOf(key) !== dead && from > hurtAt - 300);
      const its = decisions.filter(({ limiter, key }) => limiter === "wide" && masterOf(key) === dead);
      const lastLocal = Math.max(...decisions.filter(({ source }) => source === "local").map(({ from }) => from));
      process.stdout.write(
        `one master ${how}: ${figures(decisions)}; its keys local for ${((lastLocal - hurtAt) / 1000).toFixed(1)} s, ${others.filter(({ source }) => source === "local").length} of ${others.length} decisions of the others\n`,
      );
      expect(problemsOf(decisions, events)).toEqual([]);
      expect(sources(others)).toBe("backend");
      expect(sources(its)).toBe("backend and local");
      expect(sources(its.filter(({ from }) => from > healedAt))).toBe("backend");
      expect(excessOf(decisions, [{ name: how, from: hurtAt, to: healedAt, tokens: 2 * tight.burst }])).toEqual([]);
      expect(events.recovered).toBe(1);
    },
  );

  test("if slots move from one master to another, Redis still decides every call", { timeout: 60_000 }, async ({ expect }) => {
    await using cluster = await startCluster();
    const { decisions, events } = await under(
      cluster,
      async () => {
        const nodes = cluster.masters.map(client);
        const ids = (await Promise.all(nodes.map((node) => node.call("CLUSTER", "MYID")))) as string[];
        const moving = [...keys.map((key) => slotOf(`ratelimit:${name}-wide:${key}`)), slotOf(`ratelimit:${name}-tight:key`)];
        for (const slot of moving) {
          const from = Math.floor((slot * 3) / slots);
          const to = (from + 1) % 3;
          await nodes[to]?.call("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[from] as string);
          await nodes[from]?.call("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[to] as string);
          await sleep(150);
          const stored = (await nodes[from]?.call("CLUSTER", "GETKEYSINSLOT", slot, 100)) as string[];
          const { host, port } = cluster.masters[to] as RedisServer;
          if (stored.length > 0) await nodes[from]?.call("MIGRATE", host, port, "", 0, 5000, "KEYS", ...stored);
          await sleep(150);
          for (const i of [to, from, 3 - to - from]) await nodes[i]?.call("CLUSTER", "SETSLOT", slot, "NODE", ids[to] as string);
        }
        for (const node of nodes) node.disconnect();
      },
      patientMs,
    );
    process.stdout.write(`slots moved: ${figures(decisions)}\n`);
    expect(problemsOf(decisions, events)).toEqual([]);
    expect(sources(decisions)).toBe("backend");
    expect(excessOf(decisions, [])).toEqual([]);
  });

  test("if the Cluster is down and comes up again, it decides within a second", { timeout: 60_000 }, async ({ expect }) => {
    await using cluster = await startCluster({ replicas: 0 });
    const { decisions, events, hurtAt, healedAt } = await under(cluster, async () => {
      await cluster.masters[2]?.kill();
      await sleep(5000);
      await cluster.masters[2]?.restart();
      await isUp(cluster);
    });
    const lastLocal = Math.max(...decisions.filter(({ source }) => source === "local").map(({ from }) => from));
    process.stdout.write(`CLUSTERDOWN: ${figures(decisions)}; back after ${(lastLocal - healedAt).toFixed()} ms\n`);
    expect(problemsOf(decisions, events)).toEqual([]);
    expect(sources(decisions.filter(({ from }) => from > hurtAt + 4000 && from < hurtAt + 5000))).toBe("local");
    expect(events.reasons).toMatch(/CLUSTERDOWN/);
    expect(lastLocal - healedAt).toBeLessThanOrEqual(1000);
    expect(excessOf(decisions, [{ name: "CLUSTERDOWN", from: hurtAt, to: healedAt + 1000, tokens: tight.burst }])).toEqual([]);
  });

  test("if all seeds are down and come up again, they decide within a second", { timeout: 60_000 }, async ({ expect }) => {
    await using cluster = await startCluster({ replicas: 0 });
    const { decisions, events, hurtAt, healedAt } = await under(cluster, async () => {
      await Promise.all(cluster.masters.map((master) => master.kill()));
      await sleep(3000);
      await Promise.all(cluster.masters.map((master) => master.restart()));
      await isUp(cluster);
    });
    const lastLocal = Math.max(...decisions.filter(({ source }) => source === "local").map(({ from }) => from));
    process.stdout.write(`all seeds down: ${figures(decisions)}; back after ${(lastLocal - healedAt).toFixed()} ms\n`);
    expect(problemsOf(decisions, events)).toEqual([]);
    expect(sources(decisions.filter(({ from }) => from > hurtAt + 1000 && from < hurtAt + 3000))).toBe("local");
    expect(lastLocal - healedAt).toBeLessThanOrEqual(1000);
    expect(excessOf(decisions, [{ name: "seeds", from: hurtAt, to: healedAt + 1000, tokens: tight.burst }])).toEqual([]);
  });
});
