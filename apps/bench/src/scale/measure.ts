import { type Figure, median, ratio } from "../figure.ts";
import { cores } from "../machine.ts";
import { type Crew, column, interleave, type Samples, withCrew } from "../rounds.ts";
import { Worker } from "../worker.ts";
import { prefixOf } from "./keys.ts";
import { type Reading, read, type Site } from "./site.ts";
import type { Round, Setup } from "./station.ts";
import type { Group, SiteId, Variant } from "./variants.ts";

/** A round of one variant. Times are µs of CPU time per decision, the rest is per decision too. */
export interface Sample {
  readonly perSecond: number;
  readonly redisUs: number;
  readonly clientUs: number;
  /** Scripts that Redis ran. A script may decide several calls. */
  readonly scripts: number;
  /** Times that Redis read from a connection: each write of a process is one read. */
  readonly reads: number;
  readonly inBytes: number;
  readonly outBytes: number;
}

export type CpuField = "redisUs" | "clientUs";

/** How long and how often to measure. */
export interface Scale {
  readonly rounds: number;
  readonly ms: number;
}

export type Sites = Readonly<Partial<Record<SiteId, Site>>>;

/** The number of prefixes in use. Buckets of another policy under the same keys would make a check more expensive. */
let prefixes = 0;

/** Measures all variants of a group in turns. Each has its own processes and keys. */
export async function measureGroup({ variants }: Group, sites: Sites, { rounds, ms }: Scale): Promise<Samples<Sample>> {
  const siteOf = ({ site }: Variant): Site => sites[site] as Site;
  const starts = new Map<string, () => Promise<Worker>>();
  for (const variant of variants) {
    const prefix = prefixOf(variant.site.startsWith("stored") ? 0 : ++prefixes);
    for (let process = 0; process < variant.processes; process++)
      starts.set(`${variant.name} #${process}`, () => startWorker(variant, siteOf(variant), prefix));
  }
  return withCrew(starts, (crew) =>
    interleave(
      variants.map(({ name }) => name),
      { rounds },
      (name) => {
        const variant = variants.find((one) => one.name === name) as Variant;
        return measureRound(siteOf(variant), () => askAll(crew, variant, { inFlight: variant.inFlight, ms }));
      },
    ),
  );
}

export function startWorker(
  { limiters, limits, keys, connections }: Omit<Variant, "name" | "site" | "processes" | "inFlight">,
  { addresses, cluster }: Site,
  prefix: string,
): Promise<Worker> {
  const setup: Setup = { servers: addresses, cluster, prefix, limiters, limits, keys, connections };
  return Worker.start("scale", setup, { core: cores.measured });
}

function askAll(crew: Crew, { name, processes }: Variant, args: object): Promise<Round[]> {
  const workers = Array.from({ length: processes }, (_, i) => crew.get(`${name} #${i}`) as Worker);
  return Promise.all(workers.map((worker) => worker.ask("round", args) as Promise<Round>));
}

/** Measures what some work costs, in its processes and on all servers of a site. */
export async function measureRound(site: Site, work: () => Promise<readonly Round[]>): Promise<Sample> {
  const before = await read(site);
  const rounds = await work();
  const after = await read(site);
  const calls = rounds.reduce((sum, round) => sum + round.calls, 0);
  const spent = (field: keyof Reading): number => (after[field] - before[field]) / calls;
  return {
    perSecond: (1000 * calls) / Math.max(...rounds.map(({ wallMs }) => wallMs)),
    redisUs: spent("cpuUs"),
    clientUs: rounds.reduce((sum, { cpuUs }) => sum + cpuUs, 0) / calls,
    scripts: spent("scripts"),
    reads: spent("reads"),
    inBytes: spent("inBytes"),
    outBytes: spent("outBytes") - before.ownBytes / calls,
  };
}

/**
 * The lowest round of a variant. Other work on the machine can only add to a CPU time, so this is the best guess of what it is by itself,
 * where the median of a busy hour would be twice as high.
 */
export function lowest(samples: Samples<Sample>, name: string, field: keyof Sample): number {
  return Math.min(...column(samples, name, (sample) => sample[field]));
}

/** The median of a field over the rounds of a variant. */
export function of(samples: Samples<Sample>, name: string, field: keyof Sample): number {
  return median(column(samples, name, (sample) => sample[field]));
}

/** The CPU time of a variant as a multiple of another's, round by round. */
export function times(samples: Samples<Sample>, name: string, than: string, field: CpuField): Figure {
  const values = (of: string): number[] => column(samples, of, (sample) => sample[field]);
  return ratio(values(name), values(than));
}
