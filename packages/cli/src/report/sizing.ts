import type { Costs } from "../size/costs.ts";
import { type Load, planned, type Resource, type Server, type Sizing, sizeOf } from "../size/model.ts";
import { table } from "./table.ts";
import type { Terminal } from "./terminal.ts";
import { amount, count, counted, share } from "./wording.ts";

/** What a lease changes. */
interface LeaseEffect {
  readonly ms: number;
  /** Whether the load has this lease. Otherwise it is only proposed. */
  readonly isUsed: boolean;
  readonly callsWithout: number;
  readonly callsWith: number;
  /** `null` if no number of masters is enough. */
  readonly mastersWithout: number | null;
  readonly mastersWith: number | null;
}

/** What `size --json` prints. */
export interface SizingReport extends Sizing {
  readonly load: Load;
  /** The limits of a key, as `--limit` takes them. */
  readonly limit: string;
  readonly lease: LeaseEffect;
  readonly costs: Pick<Costs, "date" | "machine">;
}

/** The lease that is proposed to a load without one. */
const proposedLeaseMs = 50;

export function sizingOf(load: Load, server: Server, costs: Costs, limit: string): SizingReport {
  const sizing = sizeOf(load, server, costs);
  const ms = load.leaseMs ?? proposedLeaseMs;
  const [without, leased] = [undefined, ms].map((leaseMs) => sizeOf({ ...load, leaseMs }, server, costs)) as [Sizing, Sizing];
  return {
    load,
    limit,
    ...sizing,
    lease: {
      ms,
      isUsed: load.leaseMs !== undefined,
      callsWithout: without.calls,
      callsWith: leased.calls,
      mastersWithout: enoughMasters(without),
      mastersWith: enoughMasters(leased),
    },
    costs: { date: costs.date, machine: costs.machine },
  };
}

function enoughMasters({ masters, failsFirst }: Sizing): number | null {
  return failsFirst.atTimes < 1 ? null : masters;
}

/** What happens when a resource runs out, and what helps. */
const failures: Readonly<Record<Resource["name"], readonly [what: string, remedy: string]>> = {
  "Redis CPU": ["the CPU of the masters runs out", "add masters"],
  "the busiest key": ["the busiest key is too much for its master", "try a lease: a key lives on one master, so more masters do not help"],
  memory: ["the memory of the masters runs out", "add masters, or give them more memory"],
  network: ["the network of the masters is full", "add masters, or give them a faster network"],
  connections: [
    "a master has no connections left",
    "use fewer processes, or raise maxclients: each process connects to each master, so more masters do not help",
  ],
  nodes: ["the Cluster has too many nodes", "spread the limiters over several Clusters"],
  "process CPU": ["the CPU of the processes runs out", "start more processes"],
};

/** The sizing for a terminal. */
export function terminalSizing(report: SizingReport, { colors }: Terminal): string {
  const { load, limit, resources, costs } = report;
  const question = `${counted(load.rps, "decision")} per second, ${counted(load.keys, "key")} with ${limit}, ${counted(load.processes, "process", "processes")}`;
  const each = table(
    ["the busiest", "used", "of", "full"],
    resources.map((one) => [labels[one.name], amount(one.used, one.unit), amount(one.capacity, one.unit), fullness(one)]),
  );
  const parts = [
    `${colors.bold(question)}\n${answer(report, colors)}`,
    table(["in all", ""], totals(report)),
    each,
    leaseText(report),
    assumptions(report),
    `Costs measured on ${costs.date}: ${costs.machine}. To measure yours: bench scale in the repository, then --costs scale.costs.json`,
  ];
  return `${parts.join("\n\n")}\n`;
}

function fullness({ used, capacity }: Resource): string {
  return used > capacity ? `${count(Math.round((100 * used) / capacity))}%` : share(used, capacity);
}

const labels: Readonly<Record<Resource["name"], string>> = {
  "Redis CPU": "CPU of a master",
  "the busiest key": "CPU of the busiest key's master",
  memory: "memory of a master",
  network: "network of a master",
  connections: "connections of a master",
  nodes: "masters in the Cluster",
  "process CPU": "CPU of a process",
};

function answer({ masters, failsFirst: { resource, atTimes } }: SizingReport, colors: Terminal["colors"]): string {
  const [what, remedy] = failures[resource];
  const first = `t ${times(atTimes)} times this load, ${what}`;
  if (atTimes < 1) return `${colors.red("This does not fit:")} a${first}; ${remedy}.`;
  const enough = `${counted(masters, "master")} ${masters === 1 ? "is" : "are"} enough.`;
  return `${colors.green(enough)} A${first} first; to go further, ${remedy}.`;
}

/** `0.23`, `1.0`, `9.5`, `95`, `950`. */
function times(factor: number): string {
  return factor < 100 ? factor.toPrecision(2) : count(Number(factor.toPrecision(2)));
}

function totals(report: SizingReport): [string, string][] {
  const perSecond = (value: number): string => `${amount(value)}/s`;
  return [
    ["admitted", perSecond(report.admitted)],
    ["calls of Redis", perSecond(report.calls)],
    ["of them for the busiest key", perSecond(report.hottestCalls)],
    ["Redis CPU", amount(report.redisCores, "cores")],
    ["CPU of the processes", amount(report.clientCores, "cores")],
    ["keys stored at a time", amount(report.storedKeys)],
    ["their memory", amount(report.storedBytes, "bytes")],
    ["requests to Redis", amount(report.requestBitsPerSecond, "bits/s")],
    ["replies", amount(report.replyBitsPerSecond, "bits/s")],
    ["connections", count(report.connections)],
  ];
}

function leaseText({ lease: { ms, isUsed, callsWith, callsWithout, mastersWith, mastersWithout } }: SizingReport): string {
  const saved = callsWithout - callsWith;
  const name = `${isUsed ? "The" : "A"} lease of ${ms} ms`;
  if (saved <= 0)
    return `${name} ${isUsed ? "saves" : "would save"} nothing: it needs a key that gets 5 tokens, and 5 calls in each process, in that time.`;
  const effect = `${name} ${isUsed ? "saves" : "would save"} ${share(saved, callsWithout)} of the calls of Redis`;
  if (mastersWith === null || mastersWith === mastersWithout) return `${effect}.`;
  return `${effect}, and ${counted(mastersWith, "master")} ${isUsed ? (mastersWith === 1 ? "is" : "are") : "would be"} enough${mastersWithout === null ? "; without it, no number of masters is" : ` instead of ${count(mastersWithout)}`}.`;
}

function assumptions({ load, masters }: SizingReport): string {
  const traffic =
    load.hottest > 1 / load.keys
      ? `the busiest key gets ${share(load.hottest, 1)} of the decisions, all others are equally busy`
      : "all keys are equally busy (--hottest)";
  const writes = load.checksPerWrite === 1 ? "each check is sent by itself (--per-write)" : `${load.checksPerWrite} checks share a write`;
  return `Assumed: ${traffic}; ${writes}; a master is kept below ${100 * planned}% of everything, so that ${masters === 1 ? "peaks" : "peaks and failovers"} fit.`;
}
