import type { Bench, Table } from "../bench.ts";
import { difference, digits, type Figure, median } from "../figure.ts";
import { type KeySetId, keySets } from "../memory/keys.ts";
import type { Sample } from "../memory/station.ts";
import { column, interleave, type Samples, withCrew } from "../rounds.ts";
import { Worker } from "../worker.ts";
import { type PartId, parts } from "./parts.ts";
import type { Setup } from "./station.ts";

const ids = Object.keys(parts) as PartId[];
/** The parts that are no step of a check. */
const outside: readonly PartId[] = ["loop"];

export const bench: Bench = {
  title: "The parts of a check",
  about:
    "CPU time of each step of an admitted check in process. Each row is a loop of its own that includes all steps before it, in a process of its own; the time of the step alone is the difference, round by round. Calls that the compiler merges cost less together than apart, so a step may come out a few nanoseconds too low.",
  async run(quick) {
    const tables: Table[] = [];
    for (const set of ["hot", "many"] as const) tables.push(table(keySets[set].name, await measure(set, quick)));
    return { tables, goals: [] };
  },
};

function measure(keys: KeySetId, quick: boolean): Promise<Samples<Sample>> {
  const [rounds, ms] = quick ? [3, 40] : [11, 150];
  const start = (part: PartId) => (): Promise<Worker> => Worker.start("parts", { part, keys } satisfies Setup, { flags: ["--expose-gc"] });
  return withCrew(new Map(ids.map((id) => [id, start(id)])), (crew) =>
    interleave(ids, { rounds }, async (id) => (await crew.get(id)?.ask("round", { ms })) as Sample),
  );
}

function table(title: string, samples: Samples<Sample>): Table {
  const cpu = (id: PartId): number[] => column(samples, id, ({ cpuNs }) => cpuNs);
  const total = median(cpu("check")) - median(cpu("loop"));
  const rows = ids
    .filter((id) => !outside.includes(id))
    .map((id) => {
      const alone = stepAlone(id, cpu);
      return [
        parts[id].name,
        digits(median(cpu(id))),
        `${digits(alone.value)} (${digits(alone.low)} to ${digits(alone.high)})`,
        percent(alone.value / total),
      ];
    });
  return { title, columns: ["step", "the loop, CPU ns", "the step alone, CPU ns", "of `await check`"], rows };
}

/** Subtracts the other parts round by round. Each of them contains the loop, which must be subtracted only once. */
function stepAlone(id: PartId, cpu: (id: PartId) => number[]): Figure {
  const [first, ...others] = parts[id].without.map(cpu);
  const loop = cpu("loop");
  const rest = (first ?? []).map((ns, round) =>
    others.reduce((sum, other) => sum + ((other[round] as number) - (loop[round] as number)), ns),
  );
  return difference(cpu(id), rest);
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
