import { setTimeout as sleep } from "node:timers/promises";
import { startStandalone } from "@ratelimit/testbed";
import { Redis } from "ioredis";
import { atLeast, atMost, type Bench, type Goal, type Outcome, type Table } from "../bench.ts";
import { digits, quantile } from "../figure.ts";
import { type Crew, withCrew } from "../rounds.ts";
import { Worker } from "../worker.ts";
import { sharedMs } from "./clock.ts";
import { type Merged, merge } from "./history.ts";
import { type LeaseLoad, type LoadId, lease, limit, loads, processes } from "./loads.ts";
import type { Run, Seen, Setup } from "./station.ts";

/** What one run of all processes showed. Durations are in µs. */
interface Sample extends Merged {
  readonly callsPerDecision: number;
  readonly p50: number;
  readonly p99: number;
  readonly inProcessP50: number;
  readonly inProcessP99: number;
}

/** The processes read their clock to the µs, but Redis counts whole ms, so a window may seem 1 ms too short. */
const roundingTokens = limit.rate / 1000;

/** How many times as long as in process a leased decision may take. */
const mostTimes = 1.5;

/** How long to wait for the last tokens to be handed back, which are calls of Redis too. */
const settleMs = 1000;

const ids = Object.keys(loads) as LoadId[];

export const bench: Bench = {
  title: "Leases of a hot key",
  about: `${processes} processes share one key of one Redis, under a limit of ${limit.rate} per second (burst ${limit.burst}), with \`lease: "${lease}"\` and without it. Calls come at random (a Poisson process) and wait for nobody. "On and off" means 4 × the limit for 100 to 1,000 ms, then nothing for 100 to 1,000 ms, over and over. Each run starts with a full bucket that no process knows. *Calls* are the scripts that Redis ran, from INFO commandstats. *Of ideal* compares the admitted tokens with those that one exact bucket admits of the same calls. *Excess* is the most tokens by which any window of the merged history exceeds \`burst + rate * length\`: all processes record the same monotonic clock to the microsecond, and a call counts only in windows that contain all of it. Redis counts whole milliseconds, so up to ${roundingTokens} token of it (1 ms of this rate) may be rounding. Durations are those of leased decisions, with all waits for Redis among them, and of the same calls on a \`MemoryBackend\` in the same process, in turns. After a pause, the first calls on a key wait for a lease, so the p99 is a goal for the steady loads only.`,
  async run(quick) {
    // Leases get a minute, because a few tokens are always in hand, and at the end of a run they are missing once.
    const [leasedMs, plainMs] = quick ? [2000, 1000] : [60_000, 10_000];
    await using server = await startStandalone();
    const client = new Redis(server.url);
    const setup: Setup = { redis: server.server.address };
    const starts = new Map(Array.from({ length: processes }, (_, i) => [`process ${i}`, () => Worker.start("leases", setup)]));
    const samples = await withCrew(starts, async (crew) => {
      const leased = new Map<LoadId, Sample>();
      const plain = new Map<LoadId, Sample>();
      for (const [seed, id] of ids.entries()) {
        leased.set(id, await sampleOf(client, crew, loads[id], { isLeased: true, ms: leasedMs, key: `leased ${id}`, seed: 100 * seed }));
        plain.set(id, await sampleOf(client, crew, loads[id], { isLeased: false, ms: plainMs, key: `plain ${id}`, seed: 100 * seed }));
      }
      return { leased, plain };
    });
    client.disconnect();
    return {
      tables: [leasedTable(samples.leased), plainTable(samples.plain)],
      goals: [...samples.leased].flatMap(([id, sample]) => goalsOf(loads[id], sample)),
    } satisfies Outcome;
  },
};

interface RunOptions extends Pick<Run, "isLeased" | "key" | "ms"> {
  readonly seed: number;
}

async function sampleOf(client: Redis, crew: Crew, load: LeaseLoad, { seed, ...run }: RunOptions): Promise<Sample> {
  await client.config("RESETSTAT");
  const startAt = sharedMs() + 200;
  const traffic = load.traffic(seed);
  const seen = (await Promise.all(
    [...crew.values()].map((worker, i) => worker.ask("run", { ...run, startAt, traffic: traffic[i] })),
  )) as Seen[];
  await sleep(settleMs);
  const merged = merge(seen);
  if (run.isLeased && merged.leased < merged.decisions / 2)
    throw new Error(`${load.name}: only ${merged.leased} of ${merged.decisions} decisions were leased, so leases are not measured`);
  const tookUs = seen.flatMap(({ tookUs }) => tookUs);
  const inProcessUs = seen.flatMap(({ inProcessUs }) => inProcessUs);
  return {
    ...merged,
    callsPerDecision: scriptCalls(await client.info("commandstats")) / merged.decisions,
    p50: quantile(tookUs, 0.5),
    p99: quantile(tookUs, 0.99),
    inProcessP50: quantile(inProcessUs, 0.5),
    inProcessP99: quantile(inProcessUs, 0.99),
  };
}

function scriptCalls(stats: string): number {
  return ["eval", "evalsha"].reduce((sum, name) => sum + Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0), 0);
}

function leasedTable(samples: ReadonlyMap<LoadId, Sample>): Table {
  return {
    title: `With lease: "${lease}"`,
    columns: [
      "load",
      "calls of Redis / decision",
      "goal",
      "of ideal, %",
      "goal",
      "excess, tokens",
      "goal",
      "leased, %",
      "p50 µs",
      "in process",
      "p99 µs",
      "in process",
      "fewest and most tokens of a process",
    ],
    rows: [...samples].map(([id, sample]) => {
      const { name, calls, admitted } = loads[id];
      return [
        name,
        digits(sample.callsPerDecision),
        `≤ ${calls}`,
        percent(sample.admitted, sample.ideal).toFixed(2),
        `≥ ${admitted}`,
        sample.excess.toFixed(2),
        `≤ ${roundingTokens}`,
        percent(sample.leased, sample.decisions).toFixed(1),
        ...[sample.p50, sample.inProcessP50, sample.p99, sample.inProcessP99].map(digits),
        perProcess(sample),
      ];
    }),
  };
}

function plainTable(samples: ReadonlyMap<LoadId, Sample>): Table {
  return {
    title: "The same without a lease",
    columns: [
      "load",
      "calls of Redis / decision",
      "of ideal, %",
      "excess, tokens",
      "p50 µs",
      "p99 µs",
      "fewest and most tokens of a process",
    ],
    rows: [...samples].map(([id, sample]) => [
      loads[id].name,
      digits(sample.callsPerDecision),
      percent(sample.admitted, sample.ideal).toFixed(2),
      sample.excess.toFixed(2),
      ...[sample.p50, sample.p99].map(digits),
      perProcess(sample),
    ]),
  };
}

function percent(part: number, whole: number): number {
  return (100 * part) / whole;
}

function perProcess({ fewest, most }: Sample): string {
  return `${fewest} – ${most}`;
}

function goalsOf({ name, calls, admitted, isSteady }: LeaseLoad, sample: Sample): Goal[] {
  const ofIdeal = percent(sample.admitted, sample.ideal);
  return [
    atMost(`${name}: calls of Redis`, sample.callsPerDecision, calls, "per decision"),
    { ...atLeast(`${name}: admitted`, ofIdeal, admitted, "% of ideal"), got: ofIdeal.toFixed(2) },
    atMost(`${name}: excess`, sample.excess, roundingTokens, "token of rounding"),
    ...(isSteady ? [atMost(`${name}: p99`, sample.p99 / sample.inProcessP99, mostTimes, "× in process")] : []),
  ];
}
