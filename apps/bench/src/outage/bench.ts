import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { atMost, type Bench, type Goal, type Outcome, type Table } from "../bench.ts";
import { digits, quantile } from "../figure.ts";
import { Worker } from "../worker.ts";
import { type Fault, type FaultId, faults, openSite, type Site } from "./faults.ts";
import type { CallRecord, Setup } from "./station.ts";
import { type OutageSubjectId, outageSubjects } from "./subjects.ts";

interface Scale {
  readonly faultMs: number;
  readonly everyMs: number;
  /** The longest time to wait for a call, or for Redis to decide again. */
  readonly capMs: number;
}

/** The calls made during one outage. */
interface OutageRun {
  readonly calls: readonly CallRecord[];
  /** Those made at least a second after it began, when a limiter should have noticed. */
  readonly later: readonly CallRecord[];
  /** The time from its end until Redis decided a call, or `undefined` if that took longer than `capMs`. */
  readonly backMs: number | undefined;
}

/** The promises of docs/reliability.md, in ms. */
const [longestMs, laterMs] = [150, 5];

const ids = Object.keys(outageSubjects) as OutageSubjectId[];
const settings = ids.map((id) => `${outageSubjects[id].name}: ${outageSubjects[id].settings}`).join(". ");

export const bench: Bench = {
  title: "Outages of Redis",
  about: `A call every 20 ms, each with its own key, before, during and after 13 s in which Redis is out. The times are those of the calls made during the outage; each call is given up after 15 s. *Back* is the time from the end of the outage until Redis has decided a call made after it, according to the keys in Redis. Middlewares are called over HTTP. Settings beyond the defaults: ${settings}.`,
  async run(quick) {
    const scale: Scale = quick ? { faultMs: 1500, everyMs: 20, capMs: 3000 } : { faultMs: 13_000, everyMs: 20, capMs: 15_000 };
    const tables: Table[] = [];
    const goals: Goal[] = [];
    for (const id of quick ? (["frozen"] as const) : (Object.keys(faults) as FaultId[])) {
      const fault: Fault = faults[id];
      const runs = new Map<OutageSubjectId, OutageRun>();
      for (const subject of ids) runs.set(subject, await runThrough(subject, fault, scale));
      tables.push(table(fault, runs, scale));
      goals.push(...goalsOf(fault, runs.get("ours") as OutageRun, scale));
    }
    return { tables, goals } satisfies Outcome;
  },
};

async function runThrough(subject: OutageSubjectId, fault: Fault, { faultMs, everyMs, capMs }: Scale): Promise<OutageRun> {
  await using site = await openSite(fault);
  await using worker = await Worker.start("outage", { subject, redis: site.address } satisfies Setup);
  await worker.ask("prove");
  await worker.ask("start", { everyMs, capMs });
  await sleep(500);
  const begun = Date.now();
  await fault.begin(site);
  await sleep(faultMs);
  const ending = Date.now();
  await fault.end(site);
  const ended = Date.now();
  const before = new Set(await decidedByRedis(site));
  const deadline = ended + capMs;
  // Wait until Redis has 20 new keys. Some may still belong to calls made before; those are filtered out below.
  while (Date.now() < deadline && (await decidedByRedis(site)).length < before.size + 20) await sleep(50);
  const seen = (await worker.ask("stop")) as CallRecord[];
  const known = new Set(await decidedByRedis(site));
  const returned = seen.filter(({ key, at, outcome }) => at >= ended && outcome !== undefined && known.has(key));
  const calls = seen.filter(({ at }) => at >= begun && at < ending);
  return {
    calls,
    later: calls.filter(({ at }) => at >= begun + 1000),
    backMs: returned.length === 0 ? undefined : Math.min(...returned.map(({ at, tookMs }) => at + tookMs)) - ended,
  };
}

/** Returns the keys of the calls that Redis decided, without the prefix that a library adds. */
async function decidedByRedis({ server }: Site): Promise<string[]> {
  const client = new Redis({ ...server.address, lazyConnect: true });
  try {
    await client.connect();
    return (await client.keys("*call-*")).map((key) => /call-\d+-/.exec(key)?.[0] ?? "");
  } finally {
    client.disconnect();
  }
}

function table(fault: Fault, stories: ReadonlyMap<OutageSubjectId, OutageRun>, { capMs, faultMs }: Scale): Table {
  return {
    title: `Redis ${fault.name}: ${faultMs / 1000} s`,
    columns: ["limiter", "outcome of the calls during the outage", "p50 ms", "p99 ms", "longest ms", "p99 ms from 1 s on", "back after ms"],
    rows: [...stories].map(([id, { calls, later, backMs }]) => [
      outageSubjects[id].name,
      outcomes(calls),
      ...[quantile(took(calls), 0.5), quantile(took(calls), 0.99), Math.max(...took(calls)), quantile(took(later), 0.99)].map((ms) =>
        ms >= capMs - 1 ? `> ${capMs}` : digits(ms),
      ),
      backMs === undefined ? `> ${capMs}` : digits(backMs),
    ]),
  };
}

function took(calls: readonly CallRecord[]): number[] {
  return calls.map(({ tookMs }) => tookMs);
}

function outcomes(calls: readonly CallRecord[]): string {
  const counts = new Map<string, number>();
  for (const { outcome = "no answer" } of calls) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  return [...counts].map(([outcome, count]) => `${((100 * count) / calls.length).toFixed(0)} % ${outcome}`).join(", ");
}

function goalsOf({ name, backWithinMs }: Fault, { calls, later, backMs }: OutageRun, { capMs }: Scale): Goal[] {
  return [
    atMost(`${name}: longest decision`, Math.max(...took(calls)), longestMs, "ms"),
    atMost(`${name}: p99 from 1 s on`, quantile(took(later), 0.99), laterMs, "ms"),
    atMost(`${name}: back`, backMs ?? capMs, backWithinMs, "ms"),
  ];
}
