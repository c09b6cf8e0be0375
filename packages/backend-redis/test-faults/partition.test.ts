import { setTimeout as sleep } from "node:timers/promises";
import { RedisBackend, type RedisBackendOptions } from "@ratelimit/backend-redis";
import {
  createVethPair,
  makeNamespace,
  type NetworkNamespace,
  type RedisServer,
  startCluster,
  startSentinel,
  whyNoNamespace,
} from "@ratelimit/testbed";
import { Redis } from "ioredis";
import { describe, test } from "vitest";
import { clock } from "../test/support/clock.ts";
import { excessOf, figures, lateOf, noiseOf, sources } from "../test/support/fault.ts";
import { type Decision, Events, Load, tight } from "../test/support/load.ts";

/** A partition with one master on one side and all other servers on the other side. Callers reach both sides. */
interface Sides {
  readonly options: RedisBackendOptions;
  /** The options of the caller that starts during the cut.
   * @defaultValue options */
  readonly late?: RedisBackendOptions;
  readonly master: RedisServer;
}

type Networks = readonly [island: NetworkNamespace, mainland: NetworkNamespace];

interface Seen {
  /** What a caller saw that started before the cut. */
  readonly early: readonly Decision[];
  /** What a caller saw that started when there was another master. */
  readonly late: readonly Decision[];
  readonly cutAt: number;
  readonly mendedAt: number;
  readonly endedAt: number;
  readonly problems: readonly string[];
}

/** How much more may be admitted if callers move to another master: tokens it does not know of, and local decisions until then. */
const change = { name: "another master", tokens: 2 * tight.burst };

class Caller {
  readonly events = new Events();
  readonly #backend: RedisBackend;
  readonly #load: Load;

  constructor(options: RedisBackendOptions) {
    this.#backend = new RedisBackend({ ...options, denyCache: false, onOutage: this.events.listener });
    this.#load = new Load(this.#backend, { name: "parted", keys: ["a", "b", "c", "d", "e", "f"] });
  }

  async leave(): Promise<readonly Decision[]> {
    const decisions = await this.#load.stop();
    await this.#backend.close();
    return decisions;
  }
}

/** Cuts one master off from all other servers for 9 s. */
async function part(name: string, start: (networks: Networks) => Promise<AsyncDisposable & Sides>): Promise<Seen> {
  await using island = await makeNamespace();
  await using mainland = await makeNamespace();
  const cable = await createVethPair(island, mainland);
  await using sides = await start([island, mainland]);

  const earlyCaller = new Caller(sides.options);
  await sleep(1000);
  await cable.cut();
  const cutAt = clock();
  await sleep(6000);
  const lateCaller = new Caller(sides.late ?? sides.options);
  await sleep(3000);
  await cable.mend();
  const mendedAt = clock();
  await isReplica(sides.master);
  await sleep(1500);
  const [early, late] = await Promise.all([earlyCaller.leave(), lateCaller.leave()]);

  const locals = early.filter(({ source, from }) => source === "local" && from > cutAt).map(({ from }) => (from - cutAt) / 1000);
  const span = [Math.min(...locals), Math.max(...locals)].map((at) => at.toFixed(1)).join(" to ");
  process.stdout.write(`${name}: ${figures([...early, ...late])}; the early caller was decided locally ${span} s after the cut\n`);
  const problems = [...[early, late].flatMap(lateOf), ...[earlyCaller, lateCaller].flatMap(({ events }) => noiseOf(events))];
  return { early, late, cutAt, mendedAt, endedAt: clock(), problems };
}

/** Resolves when the master has become a replica of the other master. */
async function isReplica({ host, port }: RedisServer): Promise<void> {
  const client = new Redis({ host, port });
  client.on("error", () => {});
  while (!(await client.info("replication").catch(() => "")).includes("role:slave")) await sleep(50);
  client.disconnect();
}

function withSentinels(...args: string[]) {
  return async (namespaces: Networks): Promise<AsyncDisposable & Sides> => {
    const group = await startSentinel({ replicas: 2, namespaces, args });
    const options = { sentinels: group.addresses, name: group.name };
    return { options, master: group.master, [Symbol.asyncDispose]: () => group.stop() };
  };
}

async function inCluster(namespaces: Networks): Promise<AsyncDisposable & Sides> {
  const cluster = await startCluster({ namespaces });
  const master = cluster.masters[0] as RedisServer;
  const [options, late] = [{ cluster: cluster.addresses }, { cluster: [master.address] }];
  return { options, late, master, [Symbol.asyncDispose]: () => cluster.stop() };
}

const reason = await whyNoNamespace();
if (reason !== undefined) process.stdout.write(`no network namespaces here (${reason}): the tests of partitions are skipped\n`);

describe.skipIf(reason !== undefined)("if a master is cut off from the other servers", () => {
  test.concurrent("Sentinel has two masters, and each keeps the limit for its own callers", { timeout: 90_000 }, async ({ expect }) => {
    const { early, late, cutAt, mendedAt, endedAt, problems } = await part("two masters", withSentinels());
    expect(problems).toEqual([]);
    // Both masters go on, because neither knows of the other.
    expect(sources([...early, ...late].filter(({ from }) => from < mendedAt))).toBe("backend");
    expect(sources([...early, ...late].filter(({ from }) => from > endedAt - 500))).toBe("backend");
    expect(excessOf(early, [{ ...change, from: mendedAt, to: endedAt }])).toEqual([]);
    expect(excessOf(late, [])).toEqual([]);
    const both = { ...tight, rate: 2 * tight.rate, burst: 2 * tight.burst };
    expect(excessOf([...early, ...late], [{ ...change, from: cutAt, to: endedAt }], both)).toEqual([]);
  });

  test.concurrent("with Sentinel and min-replicas-to-write 1, its callers leave it", { timeout: 90_000 }, async ({ expect }) => {
    const settings = ["--min-replicas-to-write", "1", "--min-replicas-max-lag", "2"];
    const { early, late, cutAt, endedAt, problems } = await part("a master that gives up", withSentinels(...settings));
    expect(problems).toEqual([]);
    expect(sources(early.filter(({ from }) => from > cutAt + 5000))).toBe("backend");
    expect(sources(late)).toBe("backend");
    expect(excessOf([...early, ...late], [{ ...change, from: cutAt, to: endedAt }])).toEqual([]);
  });

  test.concurrent("in a Cluster, its callers leave it", { timeout: 90_000 }, async ({ expect }) => {
    const { early, late, cutAt, endedAt, problems } = await part("a master of a Cluster", inCluster);
    expect(problems).toEqual([]);
    expect(sources(early.filter(({ from }) => from > cutAt + 5000))).toBe("backend");
    // The late caller knows only the master that is cut off, learns of the others from it, and decides locally until then.
    const [startedAt, foundAt] = [cutAt + 6000, cutAt + 8000];
    expect(sources(late.filter(({ from }) => from > foundAt))).toBe("backend");
    const own = { name: "local decisions", from: startedAt, to: foundAt, tokens: tight.burst + 2 * tight.rate };
    expect(excessOf([...early, ...late], [{ ...change, from: cutAt, to: endedAt }, own])).toEqual([]);
  });
});
