import { type Standalone, startCluster, startStandalone } from "@ratelimit/testbed";
import { atLeast, atMost, type Bench, type Goal, type Outcome, type Table } from "../bench.ts";
import { digits, type Figure, median, ratio, withSpread } from "../figure.ts";
import { cores, pin } from "../machine.ts";
import { column, interleave, type Samples, withCrew } from "../rounds.ts";
import { Worker } from "../worker.ts";
import type { Sample, Setup } from "./station.ts";
import { type RedisSubjectId, redisSubjects, type Servers } from "./subjects.ts";

const admitted: readonly RedisSubjectId[] = ["oursCached", "rlf", "erl", "fastify", "koa", "upstash"];
const refused: readonly RedisSubjectId[] = [
  "oursCached",
  "ours",
  "rlf",
  "rlfBlocking",
  "erl",
  "fastify",
  "koa",
  "upstash",
  "upstashCached",
];
const clustered: readonly RedisSubjectId[] = ["oursCached", "rlf"];

/** How many times as many checks per second as rate-limiter-flexible we want to make, by calls in flight. */
const goals: Readonly<Record<number, number>> = { 32: 1.35, 256: 2.5 };
const refusedGoal = 40;

export const bench: Bench = {
  title: "Redis: throughput",
  about:
    "A closed loop keeps the given number of calls in flight on one connection to a Redis that has its own core: first 10,000 keys, all admitted; then one key at its limit, with 32 calls in flight; then a Cluster of three masters that share one core. Clients are ioredis 6 with its defaults; ours is opened by the backend. At most one in a thousand of our decisions may be local because Redis did not answer within 100 ms. [Scaling](scaling.md) has the figures for more processes and masters.",
  async run(quick) {
    const [rounds, ms] = quick ? [3, 100] : [9, 500];
    await using server = await startPinned();
    const servers: Servers = [server.server.address];
    const byLoad = new Map<number, Samples<Sample>>();
    await crewOn(servers, admitted, false, async (measure) => {
      for (const inFlight of [1, 32, 256]) byLoad.set(inFlight, await measure(rounds, { inFlight, ms }));
    });
    let denied: Samples<Sample> = {};
    await crewOn(servers, refused, true, async (measure) => {
      denied = await measure(rounds, { inFlight: 32, ms });
    });
    const cluster = await onCluster(rounds, ms);
    return {
      tables: [
        ...[...byLoad].map(([inFlight, samples]) => table(`${inFlight} in flight, admitted`, admitted, samples)),
        table("One key, refused, 32 in flight", refused, denied),
        ...[...cluster].map(([inFlight, samples]) => table(`Cluster of three masters, ${inFlight} in flight`, clustered, samples)),
      ],
      goals: [
        ...throughputGoals(byLoad),
        atLeast("refused, deny cache on", times(denied, "oursCached").value, refusedGoal, "× rate-limiter-flexible"),
      ],
    } satisfies Outcome;
  },
};

type Measure = (rounds: number, args: { inFlight: number; ms: number }) => Promise<Samples<Sample>>;

export async function startPinned(): Promise<Standalone> {
  const server = await startStandalone();
  pin(server.server.pid, cores.other);
  return server;
}

/** Starts a worker for each subject, on the core that Redis does not use. */
export async function crewOn(
  servers: Servers,
  ids: readonly RedisSubjectId[],
  refused: boolean,
  use: (measure: Measure) => Promise<void>,
): Promise<void> {
  await withCrew(starts(servers, ids, refused), (crew) =>
    use((rounds, args) => interleave(ids, { rounds }, async (id) => (await crew.get(id)?.ask("round", args)) as Sample)),
  );
}

/** Each subject has its own key prefix. */
export function starts(
  servers: Servers,
  ids: readonly RedisSubjectId[],
  refused: boolean,
  connections: number = 1,
): Map<string, () => Promise<Worker>> {
  return new Map(
    ids.map((subject) => [
      subject,
      () => {
        const setup: Setup = { subject, servers, refused, prefix: `${subject}${refused ? "r" : ""}`, connections };
        return Worker.start("redis", setup, { core: cores.measured });
      },
    ]),
  );
}

async function onCluster(rounds: number, ms: number): Promise<Map<number, Samples<Sample>>> {
  await using cluster = await startCluster({ masters: 3, replicas: 0 });
  for (const { pid } of cluster.masters) pin(pid, cores.other);
  const byLoad = new Map<number, Samples<Sample>>();
  await crewOn(cluster.addresses as unknown as Servers, clustered, false, async (measure) => {
    for (const inFlight of [32, 256]) byLoad.set(inFlight, await measure(rounds, { inFlight, ms }));
  });
  return byLoad;
}

function times(samples: Samples<Sample>, id: RedisSubjectId): Figure {
  const perSecond = (subject: RedisSubjectId): number[] => column(samples, subject, (sample) => sample.perSecond);
  return ratio(perSecond(id), perSecond("rlf"));
}

function table(title: string, ids: readonly RedisSubjectId[], samples: Samples<Sample>): Table {
  const of = (id: RedisSubjectId, field: keyof Sample): string => digits(median(column(samples, id, (sample) => sample[field])));
  return {
    title,
    columns: ["limiter", "checks / s", "× rate-limiter-flexible", "p50 µs", "p99 µs", "client CPU µs / check"],
    rows: ids.map((id) => [
      redisSubjects[id].name,
      of(id, "perSecond"),
      withSpread(times(samples, id)),
      of(id, "p50Us"),
      of(id, "p99Us"),
      of(id, "cpuUs"),
    ]),
  };
}

function throughputGoals(byLoad: ReadonlyMap<number, Samples<Sample>>): Goal[] {
  const p50 = (id: RedisSubjectId): number[] => column(byLoad.get(1) ?? {}, id, ({ p50Us }) => p50Us);
  return [
    ...Object.entries(goals).map(([inFlight, goal]) =>
      atLeast(`${inFlight} in flight`, times(byLoad.get(Number(inFlight)) ?? {}, "oursCached").value, goal, "× rate-limiter-flexible"),
    ),
    // Both make the same round trip, but two medians are never quite equal.
    atMost("p50 of 1 in flight", ratio(p50("oursCached"), p50("rlf")).value, 1.05, "× rate-limiter-flexible's"),
  ];
}
