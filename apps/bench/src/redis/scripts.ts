import { Redis } from "ioredis";
import { atMost, type Bench, type Goal, type Outcome, type Table } from "../bench.ts";
import { digits, median, ratio, withSpread } from "../figure.ts";
import { type Crew, column, interleave, type Samples, withCrew } from "../rounds.ts";
import { Worker } from "../worker.ts";
import { startPinned, starts } from "./bench.ts";
import type { Setup } from "./station.ts";
import { type RedisSubjectId, redisSubjects, type Servers } from "./subjects.ts";

const ids: readonly RedisSubjectId[] = ["ours", "rlf", "erl", "fastify", "koa", "upstash"];

/** The connections stand for eight processes that each make one call at a time. */
const connections = 8;

/** Server time per check: that of its script, and all CPU time of the server. */
interface ServerTime {
  readonly scriptUs: number;
  readonly cpuUs: number;
}

interface Footprint {
  readonly usage: number;
  readonly afterTen: number;
  readonly perKey: number;
}

export const bench: Bench = {
  title: "Redis: the server's side",
  about:
    "Server time per check: that of the scripts from INFO commandstats, and all CPU time from INFO cpu. One call is in flight on each of eight connections, so that each check is a separate script; then 32 on one connection. Refused means one key at its limit, without any cache. Bytes are what MEMORY USAGE reports for keys such as `rl:user:123`, after one call and after ten, and the growth of used_memory per key.",
  async run(quick) {
    const [rounds, calls, keys] = quick ? [2, 2000, 2000] : [9, 10_000, 50_000];
    await using server = await startPinned();
    const servers: Servers = [server.server.address];
    const client = new Redis(server.url);
    const measure = (crew: Crew, inFlight: number): Promise<Samples<ServerTime>> =>
      interleave(ids, { rounds }, (id) => serverTime(client, calls, () => crew.get(id)?.ask("calls", { count: calls, inFlight })));
    const [alone, together] = await withCrew(starts(servers, ids, false), async (crew) => [
      await measure(crew, 1),
      await measure(crew, 32),
    ]);
    const refused = await withCrew(starts(servers, ids, true), (crew) => measure(crew, 1));
    const footprints = new Map<RedisSubjectId, Footprint>();
    for (const id of ids) footprints.set(id, await footprint(client, servers, id, keys));
    client.disconnect();
    return {
      tables: [
        timeTable(`Admitted, ${connections} connections with one call in flight`, alone),
        timeTable("Admitted, 32 in flight on one connection", together),
        timeTable(`Refused, ${connections} connections with one call in flight`, refused),
        footprintTable(footprints),
      ],
      goals: goals(alone, refused, footprints),
    } satisfies Outcome;
  },
};

async function serverTime(client: Redis, calls: number, work: () => unknown): Promise<ServerTime> {
  await client.config("RESETSTAT");
  const before = cpuSeconds(await client.info("cpu"));
  await work();
  const after = cpuSeconds(await client.info("cpu"));
  const stats = await client.info("commandstats");
  const micros = ["eval", "evalsha"].map((command) => Number(new RegExp(`cmdstat_${command}:.*?usec=(\\d+)`).exec(stats)?.[1] ?? 0));
  return { scriptUs: micros.reduce((sum, us) => sum + us, 0) / calls, cpuUs: ((after - before) * 1e6) / calls };
}

function cpuSeconds(info: string): number {
  const of = (kind: string): number => Number(new RegExp(`^used_cpu_${kind}:([\\d.]+)`, "m").exec(info)?.[1] ?? Number.NaN);
  return of("user") + of("sys");
}

async function footprint(client: Redis, servers: Servers, subject: RedisSubjectId, keys: number): Promise<Footprint> {
  await client.flushall("SYNC");
  await using worker = await Worker.start("redis", { subject, servers, refused: false, prefix: "rl" } satisfies Setup);
  await worker.ask("prove");
  await client.flushall("SYNC");
  const before = await usedMemory(client);
  await worker.ask("fill", { keys, calls: 1 });
  const perKey = ((await usedMemory(client)) - before) / keys;
  const usage = await usageOfSome(client);
  await worker.ask("fill", { keys: 1000, calls: 9 });
  return { usage, perKey, afterTen: await usageOfSome(client, ["user:1", "user:500", "user:999"]) };
}

async function usedMemory(client: Redis): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await client.info("memory"))?.[1]);
}

/** The median MEMORY USAGE of the keys with these endings, or else of some keys. */
async function usageOfSome(client: Redis, ends?: readonly string[]): Promise<number> {
  const keys =
    ends === undefined ? (await client.scan(0, "COUNT", 100))[1] : (await Promise.all(ends.map((end) => client.keys(`*:${end}`)))).flat();
  const usages = await Promise.all(keys.map((key) => client.memory("USAGE", key)));
  return median(usages.map(Number));
}

function timeTable(title: string, samples: Samples<ServerTime>): Table {
  const script = (id: RedisSubjectId): number[] => column(samples, id, ({ scriptUs }) => scriptUs);
  return {
    title,
    columns: ["limiter", "script µs / check", "× rate-limiter-flexible's", "server CPU µs / check"],
    rows: ids.map((id) => [
      redisSubjects[id].name,
      digits(median(script(id))),
      withSpread(ratio(script(id), script("rlf"))),
      digits(median(column(samples, id, ({ cpuUs }) => cpuUs))),
    ]),
  };
}

function footprintTable(footprints: ReadonlyMap<RedisSubjectId, Footprint>): Table {
  return {
    title: "Bytes of a key",
    columns: ["limiter", "MEMORY USAGE after 1 call", "after 10 calls", "used_memory / key"],
    rows: [...footprints].map(([id, { usage, afterTen, perKey }]) => [redisSubjects[id].name, ...[usage, afterTen, perKey].map(digits)]),
  };
}

function goals(alone: Samples<ServerTime>, refused: Samples<ServerTime>, footprints: ReadonlyMap<RedisSubjectId, Footprint>): Goal[] {
  const script = (samples: Samples<ServerTime>, id: RedisSubjectId): number[] => column(samples, id, ({ scriptUs }) => scriptUs);
  return [
    atMost(
      "server time of a check",
      ratio(script(alone, "ours"), script(alone, "rlf")).value,
      1.1,
      "× rate-limiter-flexible's fixed window",
    ),
    atMost("server time of a refusal", ratio(script(refused, "ours"), script(alone, "ours")).value, 0.6, "× of an admission"),
    atMost("MEMORY USAGE of a key", footprints.get("ours")?.usage ?? Number.NaN, 72, "B"),
  ];
}
