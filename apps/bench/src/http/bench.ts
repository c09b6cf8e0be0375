import { atLeast, atMost, type Bench, type Goal, type Outcome, type Table } from "../bench.ts";
import { difference, digits, type Figure, median, ratio, withSpread } from "../figure.ts";
import { cores } from "../machine.ts";
import { startPinned } from "../redis/bench.ts";
import { column, interleave, type Samples, withCrew } from "../rounds.ts";
import { Worker } from "../worker.ts";
import type { HttpRule, LimiterId } from "./limiters.ts";
import type { Load } from "./load.ts";
import { type Framework, nameOf } from "./servers.ts";
import type { Setup } from "./station.ts";

const frameworks: readonly Framework[] = ["express", "fastify", "koa"];
const limiters: readonly LimiterId[] = ["none", "minimal", "ours", "peer"];
const onRedis: readonly LimiterId[] = ["none", "ours", "peer"];

/** The most CPU time that ours may add, in multiples of what the peer adds. */
const addedGoals: Readonly<Record<Framework | "redis", number>> = { express: 0.7, fastify: 0.9, koa: 0.8, redis: 0.45 };
/** How many times as fast as the page a refusal should be. */
const refusedGoals: Readonly<Record<Framework, number>> = { express: 1.2, fastify: 0.9, koa: 0.8 };
const redisGoal = 1.25;

interface Sample extends Load {
  /** CPU time of the server per request. */
  readonly cpuUs: number;
}

export const bench: Bench = {
  title: "HTTP",
  about:
    "A small JSON page behind a limiter that sends the three `X-RateLimit-` fields. There are 50 keep-alive connections with one request in flight on each; the server has one core, the client (and Redis) the other. All requests come from one address, and each limiter uses its defaults. Added CPU is the server's CPU time per request, minus that of the same framework without a limiter in the same round.",
  async run(quick) {
    const [rounds, ms] = quick ? [2, 150] : [30, 350];
    await using client = await Worker.start("load", {}, { core: cores.other });
    const tables: Table[] = [];
    const goals: Goal[] = [];
    for (const framework of frameworks) {
      const admitted = await measure(client, framework, limiters, { refused: false }, rounds, ms);
      const refused = await measure(client, framework, limiters, { refused: true }, rounds, ms);
      tables.push(
        table(`${framework}, in process, all admitted`, framework, admitted),
        table(`${framework}, in process, all refused`, framework, refused),
      );
      goals.push(...inProcessGoals(framework, admitted, refused));
    }
    await using server = await startPinned();
    const shared = await measure(client, "fastify", onRedis, { refused: false, redis: server.server.address }, rounds, ms);
    tables.push(table("fastify, on Redis, all admitted", "fastify", shared));
    goals.push(addedAtMost("fastify on Redis", shared, "fastify", addedGoals.redis), redisThroughputGoal(shared));
    return { tables, goals } satisfies Outcome;
  },
};

async function measure(
  client: Worker,
  framework: Framework,
  ids: readonly LimiterId[],
  how: { refused: boolean; redis?: HttpRule["redis"] },
  rounds: number,
  ms: number,
): Promise<Samples<Sample>> {
  const start = (limiter: LimiterId) => (): Promise<Worker> =>
    Worker.start("http", { framework, limiter, ...how } satisfies Setup, { core: cores.measured });
  return withCrew(new Map(ids.map((id) => [id, start(id)])), (crew) =>
    interleave(ids, { rounds, warmUps: 8 }, async (id) => {
      const server = crew.get(id) as Worker;
      const port = (await server.ask("port")) as number;
      const before = (await server.ask("cpu")) as number;
      const load = (await client.ask("load", { port, connections: 50, ms })) as Load;
      const after = (await server.ask("cpu")) as number;
      return { ...load, cpuUs: (after - before) / load.requests };
    }),
  );
}

const cpu = (samples: Samples<Sample>, id: LimiterId): number[] => column(samples, id, ({ cpuUs }) => cpuUs);
const perSecond = (samples: Samples<Sample>, id: LimiterId): number[] => column(samples, id, (sample) => sample.perSecond);

function added(samples: Samples<Sample>, id: LimiterId): Figure {
  return difference(cpu(samples, id), cpu(samples, "none"));
}

function table(title: string, framework: Framework, samples: Samples<Sample>): Table {
  const of = (id: LimiterId, field: keyof Sample): string => digits(median(column(samples, id, (sample) => sample[field])));
  return {
    title,
    columns: ["server", "requests / s", "× no limiter", "server CPU µs", "added CPU µs", "CPU: no limiter / this one", "p50 ms", "p99 ms"],
    rows: (Object.keys(samples) as LimiterId[]).map((id) => [
      nameOf(framework, id),
      of(id, "perSecond"),
      withSpread(ratio(perSecond(samples, id), perSecond(samples, "none"))),
      of(id, "cpuUs"),
      id === "none" ? "–" : spread(added(samples, id)),
      withSpread(ratio(cpu(samples, "none"), cpu(samples, id))),
      of(id, "p50Ms"),
      of(id, "p99Ms"),
    ]),
  };
}

function spread({ value, low, high }: Figure): string {
  return `${digits(value)} (${digits(low)} to ${digits(high)})`;
}

function inProcessGoals(framework: Framework, admitted: Samples<Sample>, refused: Samples<Sample>): Goal[] {
  const peer = nameOf(framework, "peer");
  return [
    addedAtMost(framework, admitted, framework, addedGoals[framework]),
    atMost(`${framework}: refused`, ratio(cpu(refused, "ours"), cpu(refused, "peer")).value, 1, `× the CPU of ${peer}`),
    atLeast(
      `${framework}: refused`,
      ratio(cpu(refused, "none"), cpu(refused, "ours")).value,
      refusedGoals[framework],
      "× as fast as the page (CPU)",
    ),
  ];
}

/** Shows both values in µs, because the ratio of two small differences means little. */
function addedAtMost(what: string, samples: Samples<Sample>, framework: Framework, times: number): Goal {
  const [ours, theirs] = [added(samples, "ours").value, added(samples, "peer").value];
  return {
    what: `${what}: added CPU`,
    target: `≤ ${times} × that of ${nameOf(framework, "peer")}`,
    got: `${digits(ours)} µs against ${digits(theirs)} µs`,
    met: ours <= times * theirs,
  };
}

function redisThroughputGoal(samples: Samples<Sample>): Goal {
  return atLeast(
    "fastify on Redis",
    ratio(perSecond(samples, "ours"), perSecond(samples, "peer")).value,
    redisGoal,
    "× @fastify/rate-limit's requests / s",
  );
}
