import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { atMost, type Bench, type Goal, type Outcome, type Table } from "../bench.ts";
import { digits, quantile } from "../figure.ts";
import { Worker } from "../worker.ts";
import { type Fault, type FaultId, faults, openSite, type Site } from "./faults.ts";
import type { Seen, Setup } from "./station.ts";
import { type OutageSubjectId, outageSubjects } from "./subjects.ts";

interface Scale {
  readonly faultMs: number;
  readonly everyMs: number;
  /** The longest that a call, or the return, is waited for. */
  readonly capMs: number;
}

/** What became of the calls of an outage. */
interface Story {
  readonly calls: readonly Seen[];
  /** Those that came a second after it began: by then a limiter should know. */
  readonly later: readonly Seen[];
  /** How long after its end Redis decided a call; none within the cap. */
  readonly backMs: number | undefined;
}

/** Reliability's promises, in ms. */
const [longestMs, laterMs] = [150, 5];

const ids = Object.keys(outageSubjects) as OutageSubjectId[];
const settings = ids.map((id) => `${outageSubjects[id].name}: ${outageSubjects[id].settings}`).join(". ");

export const bench: Bench = {
  title: "Outages of Redis",
  about: `A call every 20 ms, each with a key of its own, before, during and after 13 s in which Redis is out. Times are those of the calls that were made meanwhile; a call is waited for 15 s. Back is when Redis has decided a call that was made after the end, as Redis itself tells. A middleware is asked over HTTP. Settings beyond the defaults: ${settings}.`,
  async run(quick) {
    const scale: Scale = quick ? { faultMs: 1500, everyMs: 20, capMs: 3000 } : { faultMs: 13_000, everyMs: 20, capMs: 15_000 };
    const tables: Table[] = [];
    const goals: Goal[] = [];
    for (const id of quick ? (["frozen"] as const) : (Object.keys(faults) as FaultId[])) {
      const fault: Fault = faults[id];
      const stories = new Map<OutageSubjectId, Story>();
      for (const subject of ids) stories.set(subject, await tell(subject, fault, scale));
      tables.push(table(fault, stories, scale));
      goals.push(...promises(fault, stories.get("ours") as Story, scale));
    }
    return { tables, goals } satisfies Outcome;
  },
};

async function tell(subject: OutageSubjectId, fault: Fault, { faultMs, everyMs, capMs }: Scale): Promise<Story> {
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
  // Until Redis knows a key that it did not know, which may still be of a call made before; those are sorted out below.
  while (Date.now() < deadline && (await decidedByRedis(site)).length < before.size + 20) await sleep(50);
  const seen = (await worker.ask("stop")) as Seen[];
  const known = new Set(await decidedByRedis(site));
  const returned = seen.filter(({ key, at, outcome }) => at >= ended && outcome !== undefined && known.has(key));
  const calls = seen.filter(({ at }) => at >= begun && at < ending);
  return {
    calls,
    later: calls.filter(({ at }) => at >= begun + 1000),
    backMs: returned.length === 0 ? undefined : Math.min(...returned.map(({ at, tookMs }) => at + tookMs)) - ended,
  };
}

/** The keys of calls that stand in Redis, without what a library writes before them. */
async function decidedByRedis({ server }: Site): Promise<string[]> {
  const client = new Redis({ ...server.address, lazyConnect: true });
  try {
    await client.connect();
    return (await client.keys("*call-*")).map((key) => /call-\d+-/.exec(key)?.[0] ?? "");
  } finally {
    client.disconnect();
  }
}

function table(fault: Fault, stories: ReadonlyMap<OutageSubjectId, Story>, { capMs, faultMs }: Scale): Table {
  return {
    title: `Redis ${fault.name} for ${faultMs / 1000} s`,
    columns: ["limiter", "outcome of the calls meanwhile", "p50 ms", "p99 ms", "longest ms", "p99 ms from 1 s on", "back after ms"],
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

function took(calls: readonly Seen[]): number[] {
  return calls.map(({ tookMs }) => tookMs);
}

function outcomes(calls: readonly Seen[]): string {
  const counts = new Map<string, number>();
  for (const { outcome = "no answer" } of calls) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  return [...counts].map(([outcome, count]) => `${((100 * count) / calls.length).toFixed(0)} % ${outcome}`).join(", ");
}

function promises({ name, backWithinMs }: Fault, { calls, later, backMs }: Story, { capMs }: Scale): Goal[] {
  return [
    atMost(`${name}: longest decision`, Math.max(...took(calls)), longestMs, "ms"),
    atMost(`${name}: p99 from 1 s on`, quantile(took(later), 0.99), laterMs, "ms"),
    atMost(`${name}: back`, backMs ?? capMs, backWithinMs, "ms"),
  ];
}
