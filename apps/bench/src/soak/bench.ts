import { cpus } from "node:os";
import { atLeast, atMost, type Bench, type Goal, type Outcome, type Table } from "../bench.ts";
import { digits, median } from "../figure.ts";
import { servers } from "./rules.ts";
import { openSite } from "./site.ts";
import { type Failover, type Plan, type Soaked, soak } from "./soak.ts";
import { halves, type Point, slope } from "./trend.ts";

/** The promises of docs/reliability.md, in ms. The connection to a frozen master stays open and silent, as if the network dropped all packets. */
const promises = { longestMs: 150, backMs: 1000, backFromSilenceMs: 3000 } as const;

/** What counts as flat: MB a minute, MB in three quarters of the time, and the p99 of the second half in multiples of the first. */
const flat = { rssPerMinute: 0.5, liveHeap: 1, p99: 1.5 } as const;

/** Fewer minutes than this show no trend. */
const leastMinutes = 5;

const megabyte = 1e6;

const about = `Express, Fastify and Koa servers, each in its own process, share limits on one Redis: a master and a replica under three Sentinels. The backends have their defaults and \`instances: 3\`. The master fails about once a minute, at times and in ways that a seed repeats: it is killed, killed while its replica is 0.8 s behind, or frozen (SIGSTOP). The Sentinels promote the replica, and the old master comes back as a replica.

Each server gets 180 requests per second, whether or not earlier ones were answered. A third of them are for three hot keys, which get six times the requests that their limit admits (10 per second, burst 30). Five ninths are for 100,000 keys with a limit of 3 an hour (burst 2); before the run, every server was asked once for each of these keys. The others are for keys that are used once.

A failover lasts from the fault until 1.5 s after every server has reported that Redis is back. Times are those of whole HTTP requests. *Running* leaves out the time in which the server or the client had work but did not run, because other processes had the cores. *Back* is the time from the last moment when the Sentinels named the old master to the last request that a server admitted without Redis. *Excess* is how many tokens the worst key was granted in any interval beyond its bound: \`burst + rate * T\`, and for each failover in the interval a local portion per server and one \`burst\`. Below 0 is within the bound. The *live heap* is what a full garbage collection leaves.`;

export const bench: Bench = {
  title: "Soak: failovers under load",
  about,
  async run(quick, { minutes = quick ? 0.5 : 20, seed = Math.floor(Math.random() * 2 ** 31) } = {}) {
    const plan: Plan = {
      seed,
      ms: minutes * 60_000,
      minuteMs: Math.min(60_000, minutes * 30_000),
      ...(quick ? { leastWaitMs: 3000, mostWaitMs: 6000 } : { leastWaitMs: 10_000, mostWaitMs: 40_000 }),
    };
    const log = (line: string): void => void process.stdout.write(`soak: ${line}\n`);
    log(`seed ${seed} (--seed ${seed} repeats the failovers)`);
    await using site = await openSite({ seed, knownKeys: quick ? 3000 : 100_000, promisedMs: promises.longestMs });
    await site.traffic.ask("fill");
    const soaked = await soak(site, plan, log);
    return {
      tables: [failoverTable(soaked), minuteTable(soaked), serverTable(soaked)],
      goals: [...promiseGoals(soaked), ...(minutes >= leastMinutes ? flatnessGoals(soaked) : [])],
      notes: [
        `${digits(soaked.final.requests)} requests, ${soaked.failovers.length} failovers, seed ${seed}. ${soaked.passing} times a server reported late answers and then one in time, without an outage. The load average was ${digits(median(soaked.loads))} (median) on ${cpus().length} cores.`,
      ],
    } satisfies Outcome;
  },
};

function promiseGoals({ minutes, failovers, unended, others, mishaps, final }: Soaked): Goal[] {
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const inTime = (of: readonly { readonly longestRunning: number }[]): number =>
    Math.max(...of.map(({ longestRunning }) => longestRunning));
  const failures = Object.entries(final.failures);
  const calm = sum(minutes.map(({ calm }) => calm.calls));
  const all = [...mishaps, final.mishaps];
  const back = (counts: (failover: Failover) => boolean): number =>
    Math.max(0, ...failovers.filter(counts).map(({ backAfter }) => backAfter));
  return [
    atLeast("failovers", failovers.length, 1, ""),
    atMost("hot keys: worst excess", final.hot.excess, 0, "tokens"),
    atMost("100,000 keys: worst excess", final.known.excess, 0, "tokens"),
    atLeast("hot keys: admitted", median(minutes.map(({ hotShare }) => hotShare)), 0.95, "of what their rate allows"),
    atMost("longest request in a failover, running", inTime(failovers), promises.longestMs, "ms"),
    atMost("longest request otherwise, running", inTime(minutes), promises.longestMs, "ms"),
    atMost(
      "back after a killed master was replaced",
      back(({ kind }) => kind !== "frozen"),
      promises.backMs,
      "ms",
    ),
    atMost(
      "back after a frozen master was replaced",
      back(({ kind }) => kind === "frozen"),
      promises.backFromSilenceMs,
      "ms",
    ),
    atMost("failovers that a server did not report as over exactly once", sum(failovers.map(wrongRecoveries)), 0, ""),
    atMost("outages never reported as over", unended, 0, ""),
    atMost("outages outside failovers", others, 0, ""),
    atMost("decided without Redis outside failovers", sum(minutes.map(({ calmLocal }) => calmLocal)) / calm, 0.001, "of the requests"),
    {
      what: "statuses other than 200 and 429",
      target: "none",
      got: failures.map(([outcome, count]) => `${count} × ${outcome}`).join(", ") || "none",
      met: failures.length === 0,
    },
    atMost("requests without a response", final.unanswered, 0, ""),
    atMost("unhandled rejections and exceptions", sum(all.map(({ unhandled }) => unhandled)), 0, ""),
    atMost("process warnings", sum(all.map(({ warnings }) => warnings)), 0, ""),
  ];
}

function wrongRecoveries({ recovered }: Failover): number {
  return recovered.filter((count) => count !== 1).length;
}

function flatnessGoals(soaked: Soaked): Goal[] {
  const p99 = soaked.minutes.map(({ calm }, x): Point => ({ x, y: calm.p99Ms }));
  const [before, after] = halves(p99).map((points) => median(points.map(({ y }) => y))) as [number, number];
  return [
    ...servers.flatMap((server, i) => [
      atMost(`${server}: RSS, slope of the second half`, rssSlope(soaked, i), flat.rssPerMinute, "MB a minute"),
      atMost(`${server}: growth of the live heap from a quarter of the time to the end`, heapGrowth(soaked, i), flat.liveHeap, "MB"),
    ]),
    atMost("p99 outside failovers, second half", after / before, flat.p99, "× that of the first"),
  ];
}

/** Returns by how many MB a minute a server grew in the second half. */
function rssSlope({ rss }: Soaked, server: number): number {
  return slope(halves(rss[server] ?? [])[1]) / megabyte;
}

function heapGrowth({ liveHeap }: Soaked, server: number): number {
  const [quarter, end] = liveHeap.map((sizes) => sizes[server] ?? Number.NaN) as [number, number];
  return (end - quarter) / megabyte;
}

function failoverTable({ failovers }: Soaked): Table {
  return {
    title: "Failovers",
    columns: [
      "at s",
      "the master is",
      "replaced after s",
      "back after ms",
      "requests",
      "admitted without Redis",
      "p50 ms",
      "p99 ms",
      "longest ms",
      "longest ms, running",
      "`recovered`",
    ],
    rows: failovers.map(({ at, kind, promotedAfter, backAfter, report, longestRunning, recovered }) => [
      (at / 1000).toFixed(),
      kind,
      (promotedAfter / 1000).toFixed(1),
      digits(backAfter),
      digits(report.calls),
      digits(report.local),
      digits(report.p50Ms),
      digits(report.p99Ms),
      digits(report.longestMs),
      digits(longestRunning),
      recovered.join(" + "),
    ]),
  };
}

function minuteTable({ minutes, rss }: Soaked): Table {
  const meanRss = (server: number, minute: number): string => {
    const ys = (rss[server] ?? []).filter(({ x }) => Math.floor(x) === minute).map(({ y }) => y);
    return digits(median(ys) / megabyte);
  };
  return {
    title: "By minute, outside failovers",
    columns: [
      "minute",
      "requests",
      "refused %",
      "admitted without Redis",
      "p50 ms",
      "p99 ms",
      "longest ms",
      "longest ms, running",
      ...servers.map((server) => `RSS of ${server}, MB`),
    ],
    rows: minutes.map(({ requests, refused, calm, calmLocal, longestRunning }, minute) => [
      String(minute + 1),
      digits(requests),
      digits((100 * refused) / requests),
      String(calmLocal),
      digits(calm.p50Ms),
      digits(calm.p99Ms),
      digits(calm.longestMs),
      digits(longestRunning),
      ...servers.map((_, server) => meanRss(server, minute)),
    ]),
  };
}

function serverTable(soaked: Soaked): Table {
  const { rss, liveHeap } = soaked;
  return {
    title: "Memory",
    columns: [
      "server",
      "RSS, median of the first half, MB",
      "of the second half, MB",
      "slope of the second half, MB a minute",
      "live heap after a quarter of the time, MB",
      "at the end, MB",
    ],
    rows: servers.map((server, i) => [
      server,
      ...halves(rss[i] ?? []).map((points) => digits(median(points.map(({ y }) => y)) / megabyte)),
      digits(rssSlope(soaked, i)),
      ...liveHeap.map((sizes) => digits((sizes[i] ?? Number.NaN) / megabyte)),
    ]),
  };
}
