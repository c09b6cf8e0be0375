import { mkdir, writeFile } from "node:fs/promises";
import { freemem } from "node:os";
import type { Bench, Outcome, Table } from "../bench.ts";
import { digits, median, ratio, withSpread } from "../figure.ts";
import { machine } from "../machine.ts";
import { folder } from "../results.ts";
import { column, interleave, withCrew } from "../rounds.ts";
import { costsOf } from "./costs.ts";
import { forecastTables } from "./forecast.ts";
import { prefixOf } from "./keys.ts";
import { measureGroup, measureRound, type Scale, type Sites, startWorker } from "./measure.ts";
import { measureMemory, openConnections, storedValue } from "./memory.ts";
import { checkModel, predictRefusals, refusalGoals } from "./model-check.ts";
import { measurePlainReads, plainReadTable } from "./plain-reads.ts";
import { limits, measureRefusals, refusalTable } from "./refusals.ts";
import { fill, openSite, type Site } from "./site.ts";
import type { Round } from "./station.ts";
import { flatGoals, groupTable, type MeasuredGroup, memoryTable } from "./tables.ts";
import { flightGroup, keyGroup, limiterGroup, limitGroup, processGroup } from "./variants.ts";

/** How much of everything a run measures. */
interface Extent extends Scale {
  readonly storedKeys: readonly number[];
  readonly keysForMemory: number;
  readonly connections: number;
  /** A refusal is remembered for up to a second, so these rounds are longer. */
  readonly refusals: Scale;
}

const full: Extent = {
  rounds: 9,
  ms: 600,
  storedKeys: [1000, 10_000, 100_000, 1_000_000, 10_000_000],
  keysForMemory: 700_000,
  connections: 5000,
  refusals: { rounds: 3, ms: 4000 },
};
const quickly: Extent = {
  rounds: 2,
  ms: 100,
  storedKeys: [1000, 10_000, 100_000],
  keysForMemory: 20_000,
  connections: 500,
  refusals: { rounds: 1, ms: 1000 },
};

/** Ten million keys take 1.2 GB, and the machine needs the rest for itself. */
const neededBytes = 4e9;

export const bench: Bench = {
  title: "Scale",
  about:
    "CPU time per decision, of Redis and of the processes that decide, for one more of everything: masters of a Cluster, processes, limiters, limits in a policy, stored keys, connections. A closed loop keeps 32 calls in flight in each process, unless the row says otherwise, on 10,000 keys that are never refused, each a key of 32 characters in Redis. All masters share one core and all processes the other, so read the CPU time per decision and its ratio to the first row, not the decisions per second. Requests and replies are bytes of Redis' own count, without packet headers. The simulated tables come from `npx @ratelimit/cli size` with the costs of this run; each of their processes sends every check in a packet of its own.",
  async run(quick) {
    const extent = quick ? quickly : full;
    const stored = extent.storedKeys.filter((count) => count < 10_000_000 || freemem() > neededBytes);
    const value = await storedValue(1);
    await using one = await openSite(1);
    await using three = await openSite(3);
    await using plain = await openSite("no Cluster");
    const sites: Sites = { one, three, plain };
    const groups: MeasuredGroup[] = [];
    for (const group of [processGroup, limiterGroup, limitGroup, flightGroup])
      groups.push({ group, samples: await measureGroup(group, sites, extent) });
    const [keySamples, plainReads] = await onStored(stored, value, async (stores) => [
      await measureGroup(keyGroup(stored), stores, extent),
      await measurePlainReads(stored, stores, extent),
    ]);
    const keys = { group: keyGroup(stored), samples: keySamples };
    const refusals = await measureRefusals(one, extent.refusals);
    const memory = await measureMemory({ keys: extent.keysForMemory, connections: extent.connections });
    const connected = await connectionTable(extent);

    const version = /redis_version:(\S+)/.exec((await one.clients[0]?.info("server")) ?? "")?.[1] ?? "unknown";
    const [, , limitsGroup, flightsGroup] = groups as [MeasuredGroup, MeasuredGroup, MeasuredGroup, MeasuredGroup];
    const costs = costsOf(
      {
        flight: flightsGroup.samples,
        limits: limitsGroup.samples,
        keys: keys.samples,
        keyGroup: keys.group,
        memory,
        localRefusalUs: median(column(refusals, String(limits[0]), ({ clientUs }) => clientUs)),
      },
      machine(),
      version,
    );
    const costsFile = `${folder}scale.costs${quick ? ".quick" : ""}.json`;
    await mkdir(folder, { recursive: true });
    await writeFile(costsFile, `${JSON.stringify(costs, null, 2)}\n`);

    const clustered = groups.filter(({ group }) => group !== limiterGroup);
    const model = await checkModel(costsFile, [...clustered, keys]);
    const predicted = await predictRefusals(costsFile, refusals);
    return {
      tables: [
        ...[...groups, keys].map(groupTable),
        plainReadTable(stored, plainReads),
        connected,
        refusalTable(refusals, predicted),
        memoryTable(memory),
        model.table,
        ...(await forecastTables(costsFile)),
      ],
      goals: [...flatGoals([...groups, keys]), ...refusalGoals(refusals, predicted), ...model.goals],
      notes: [`Calibration for \`size --costs\`: \`${JSON.stringify(costs)}\``],
    } satisfies Outcome;
  },
};

/** Starts a master for each number of keys, all at the same time, so that the machine's load affects them alike. */
async function onStored<T>(counts: readonly number[], value: string, use: (sites: Sites) => Promise<T>): Promise<T> {
  const sites: Record<string, Site> = {};
  try {
    for (const count of counts) {
      const site = await openSite(1);
      sites[`stored${count}`] = site;
      await fill(site, { count, value });
    }
    return await use(sites);
  } finally {
    for (const site of Object.values(sites)) await site[Symbol.asyncDispose]();
  }
}

/** Compares a master that has many idle connections with one that has none. */
async function connectionTable({ rounds, ms, connections }: Extent): Promise<Table> {
  await using few = await openSite(1);
  await using many = await openSite(1);
  const sockets = await openConnections(many, connections);
  const sites = { few, many };
  const setup = { limiters: 1, limits: 1, keys: 10_000, connections: 1 };
  const starts = new Map(Object.entries(sites).map(([id, site]) => [id, () => startWorker(setup, site, prefixOf(1))]));
  const samples = await withCrew(starts, (crew) =>
    interleave(["few", "many"] as const, { rounds }, (id) =>
      measureRound(sites[id], async () => [(await crew.get(id)?.ask("round", { inFlight: 32, ms })) as Round]),
    ),
  );
  for (const socket of sockets) socket.destroy();
  const redisUs = (id: keyof typeof sites): number[] => column(samples, id, (sample) => sample.redisUs);
  return {
    title: "Idle connections",
    columns: ["", "Redis CPU µs", "×"],
    rows: [
      ["no other connections", digits(median(redisUs("few"))), "1.00"],
      [`${digits(connections)} idle connections`, digits(median(redisUs("many"))), withSpread(ratio(redisUs("many"), redisUs("few")))],
    ],
  };
}
