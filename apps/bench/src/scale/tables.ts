import { atMost, type Goal, type Table } from "../bench.ts";
import { digits, withSpread } from "../figure.ts";
import type { Samples } from "../rounds.ts";
import { type CpuField, of, type Sample, times } from "./measure.ts";
import type { Memory } from "./memory.ts";
import { type Group, keyGroup, limiterGroup, limitGroup, processGroup, type Variant } from "./variants.ts";

/** A group with what was measured. */
export interface MeasuredGroup {
  readonly group: Group;
  readonly samples: Samples<Sample>;
}

export function groupTable({ group: { title, variants }, samples }: MeasuredGroup): Table {
  const [first] = variants;
  return {
    title,
    columns: [
      "",
      "decisions / s",
      "Redis CPU µs",
      "×",
      "client CPU µs",
      "×",
      "scripts / decision",
      "decisions / write",
      "request B",
      "reply B",
    ],
    rows: variants.map(({ name }) => {
      const figure = (field: keyof Sample): string => digits(of(samples, name, field));
      return [
        name,
        figure("perSecond"),
        figure("redisUs"),
        withSpread(times(samples, name, first.name, "redisUs")),
        figure("clientUs"),
        withSpread(times(samples, name, first.name, "clientUs")),
        figure("scripts"),
        digits(1 / of(samples, name, "reads")),
        figure("inBytes"),
        figure("outBytes"),
      ];
    }),
  };
}

export function memoryTable({ byLength, perExtraLimit, perConnection, connectionsPerMaster }: Memory): Table {
  return {
    title: "Memory of a master",
    columns: ["", "bytes"],
    rows: [
      ...[...byLength].map(([length, bytes]) => [`a key of ${length} characters, one limit`, digits(bytes)]),
      ["each further limit of its policy", digits(perExtraLimit)],
      [`a connection; a process opens ${digits(connectionsPerMaster)} to each master`, digits(perConnection)],
    ],
  };
}

/** What must stay flat, as a multiple of the first row. */
export function flatGoals(measured: readonly MeasuredGroup[]): Goal[] {
  const goals: Goal[] = [];
  const flat = (title: string, name: string, field: CpuField, bound: number): void => {
    const { group, samples } = measured.find((one) => one.group.title === title) as MeasuredGroup;
    const [first] = group.variants;
    const what = `${field === "redisUs" ? "Redis" : "client"} CPU per decision: ${name}`;
    goals.push(atMost(what, times(samples, name, first.name, field).value, bound, `× of ${first.name}`));
  };
  for (const name of ["1 master, 4 processes", "3 masters, 4 processes"]) flat(processGroup.title, name, "redisUs", 1.5);
  flat(limiterGroup.title, "1,000 limiters", "clientUs", 1.3);
  flat(limiterGroup.title, "1,000 limiters", "redisUs", 1.3);
  const stored = measured.find(({ group }) => group.title === keyGroup([1]).title) as MeasuredGroup;
  // Ten million keys do not fit into the caches of a processor, so there is no goal for them.
  const most = stored.group.variants.findLast(({ keys }) => keys <= 1_000_000) as Variant;
  flat(stored.group.title, most.name, "redisUs", 1.3);
  const limits = measured.find(({ group }) => group === limitGroup) as MeasuredGroup;
  for (const { name } of limitGroup.variants.slice(-1))
    goals.push(atMost(`scripts per decision: ${name}`, of(limits.samples, name, "scripts"), 1, ""));
  return goals;
}
