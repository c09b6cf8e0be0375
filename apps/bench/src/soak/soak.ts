import { loadavg } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { clock } from "./clock.ts";
import { breakMaster, bringBack, until } from "./failover.ts";
import type { Figures } from "./latencies.ts";
import { servers } from "./rules.ts";
import { failovers, type PlannedFailover } from "./schedule.ts";
import type { Site } from "./site.ts";
import { runningMs, type Span } from "./stalls.ts";
import type { Mishaps, TimedEvent } from "./station.ts";
import type { MinuteReport, OutageReport } from "./tally.ts";
import type { FinalReport } from "./traffic.ts";
import type { Point } from "./trend.ts";

/** How long a soak lasts, and how often the master fails. */
export interface Plan {
  readonly seed: number;
  readonly ms: number;
  readonly minuteMs: number;
  readonly leastWaitMs: number;
  readonly mostWaitMs: number;
}

/** A failover and what the servers did about it. Times are in ms, those of `at` since the start. */
export interface Failover extends Pick<PlannedFailover, "kind"> {
  readonly at: number;
  readonly report: OutageReport;
  readonly promotedAfter: number;
  /** From the promotion to the last call that a server admitted without Redis. */
  readonly backAfter: number;
  /** How many outages of each server ended. */
  readonly recovered: readonly number[];
  readonly longestRunning: number;
}

/** The calls of one minute. */
interface Minute extends MinuteReport {
  readonly longestRunning: number;
}

/** Everything that a soak found. */
export interface Soaked {
  readonly minutes: readonly Minute[];
  readonly failovers: readonly Failover[];
  /** Of each server, in bytes, by minutes since the start. */
  readonly rss: readonly (readonly Point[])[];
  /** Of each server, in bytes: after a quarter of the time, and at the end. */
  readonly liveHeap: readonly (readonly number[])[];
  /** The load average of the machine at the end of each minute. */
  readonly loads: readonly number[];
  /** Late answers that did not open the breaker, until the next one in time. */
  readonly passing: number;
  /** Outages outside failovers. */
  readonly others: number;
  /** Outages that no event ended. */
  readonly unended: number;
  readonly mishaps: readonly Mishaps[];
  readonly final: FinalReport;
}

const [rssEveryMs, settleMs] = [2000, 1500];

/** Loads the servers while one master after the other fails, until the time is up and the last failover is over. */
export async function soak(site: Site, plan: Plan, log: (line: string) => void): Promise<Soaked> {
  const startedAt = clock();
  const minutes: Minute[] = [];
  const rss: Point[][] = site.servers.map(() => []);
  const liveHeap: number[][] = [];
  const loads: number[] = [];
  let isOver = false;

  const watch = async (): Promise<void> => {
    let minuteEnds = startedAt + plan.minuteMs;
    while (!isOver) {
      await sleep(rssEveryMs);
      const x = (clock() - startedAt) / 60_000;
      for (const [i, server] of site.servers.entries()) rss[i]?.push({ x, y: (await server.ask("rss")) as number });
      // Not in the second half, because the heap grows back after a full collection.
      if (liveHeap.length === 0 && clock() > startedAt + plan.ms / 4) liveHeap.push(await askAll<number>(site, "liveHeap"));
      if (clock() < minuteEnds) continue;
      minuteEnds += plan.minuteMs;
      loads.push(loadavg()[0] as number);
      const report = (await site.traffic.ask("report")) as MinuteReport;
      minutes.push({ ...report, longestRunning: await longestRunning(site, report.calm) });
    }
  };

  await site.traffic.ask("start");
  const watching = watch();
  const seen: Failover[] = [];
  for (const planned of failovers(plan.seed, plan)) {
    if (clock() + planned.waitMs > startedAt + plan.ms) break;
    await Promise.race([sleep(planned.waitMs), watching]);
    const failover = await goThrough(site, planned, startedAt);
    seen.push(failover);
    log(describe(failover));
  }
  await sleep(Math.max(0, startedAt + plan.ms - clock()));
  isOver = true;
  await watching;
  liveHeap.push(await askAll<number>(site, "liveHeap"));
  const final = (await site.traffic.ask("stop")) as FinalReport;
  const events = await askAll<TimedEvent[]>(site, "events", { since: startedAt });
  const inFailovers = seen.flatMap(({ recovered }) => recovered).reduce((sum, count) => sum + count, 0);
  return {
    minutes,
    failovers: seen,
    rss,
    liveHeap,
    loads,
    passing: events.flat().filter(({ ended }) => ended === "passing").length,
    others: outagesIn(events.flat()) - inFailovers,
    unended: events.filter((each) => each.length > 0 && each.at(-1)?.ended === undefined).length,
    mishaps: await askAll<Mishaps>(site, "mishaps"),
    final,
  };
}

async function goThrough(site: Site, { kind, awayMs }: PlannedFailover, startedAt: number): Promise<Failover> {
  const begun = clock();
  await site.traffic.ask("outageBegins");
  const replaced = await breakMaster(site.group, kind);
  const since = { since: begun };
  // A server that does not recover in time is reported by its count of recoveries.
  await until("the servers to recover", 15_000, async () =>
    (await askAll<TimedEvent[]>(site, "events", since)).every((events) => outagesIn(events) > 0),
  ).catch(() => {});
  await sleep(settleMs);
  const report = (await site.traffic.ask("outageEnds")) as OutageReport;
  const recovered = (await askAll<TimedEvent[]>(site, "events", since)).map(outagesIn);
  const running = await longestRunning(site, report);
  await sleep(awayMs);
  await bringBack(site.group, replaced);
  return {
    kind,
    at: begun - startedAt,
    report,
    promotedAfter: replaced.promotedAt - begun,
    backAfter: Math.max(0, ...report.lastLocalAt.map((at) => at - replaced.promotedAt)),
    recovered,
    longestRunning: running,
  };
}

/** Returns the longest duration of a call in ms, without the time in which its server or the client did not run. */
async function longestRunning({ servers: workers, traffic }: Site, { slow, longestInTimeMs }: Figures): Promise<number> {
  if (slow.length === 0) return longestInTimeMs;
  // Each process is asked once, because the answers cost time that it would miss.
  const whole: Span = { from: Math.min(...slow.map(({ from }) => from)), to: Math.max(...slow.map(({ to }) => to)) };
  const [ofClient = [], ...ofServers] = await Promise.all(
    [traffic, ...workers].map((worker) => worker.ask("stalls", whole) as Promise<Span[]>),
  );
  return Math.max(longestInTimeMs, ...slow.map((call) => runningMs(call, [...ofClient, ...(ofServers[call.server] ?? [])])));
}

function outagesIn(events: readonly TimedEvent[]): number {
  return events.filter(({ ended }) => ended === "outage").length;
}

async function askAll<T>({ servers: workers }: Site, question: string, args?: object): Promise<T[]> {
  return Promise.all(workers.map((worker) => worker.ask(question, args) as Promise<T>));
}

function describe({ kind, at, promotedAfter, backAfter, recovered, report, longestRunning: running }: Failover): string {
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
  const back = recovered.map((count, i) => `${servers[i]} ${count}`).join(", ");
  return `${seconds(at)}: master ${kind}; another after ${seconds(promotedAfter)}, last local call ${backAfter.toFixed()} ms later; ${report.calls} calls, ${report.local} local, p99 ${report.p99Ms.toFixed(1)}, longest ${report.longestMs.toFixed()} (${running.toFixed()} running) ms; recovered: ${back}`;
}
