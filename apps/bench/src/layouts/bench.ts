import type { Bench, Outcome, Table } from "../bench.ts";
import { digits, median, ratio, withSpread } from "../figure.ts";
import { keySets } from "../memory/keys.ts";
import { type Crew, column, interleave, type Samples, withCrew } from "../rounds.ts";
import { Worker } from "../worker.ts";
import { type LayoutId, layouts } from "./layouts.ts";
import type { Setup, Weight } from "./station.ts";

const ids = Object.keys(layouts) as LayoutId[];

export const bench: Bench = {
  title: "Layouts of the table",
  about:
    "Four ways to store buckets, each reduced to its essentials: a lookup, the arithmetic of one token and a write, with the clock read on every call. Then a million keys are added, and a sweep every 5 ms frees them. [The decision](decisions/table-layout.md) explains which one we chose.",
  async run(quick) {
    const [rounds, ms] = quick ? [3, 60] : [11, 150];
    const start = (layout: LayoutId) => (): Promise<Worker> =>
      Worker.start("layouts", { layout } satisfies Setup, { flags: ["--expose-gc"] });
    return withCrew(new Map(ids.map((id) => [id, start(id)])), async (crew) => {
      const tables: Table[] = [];
      for (const set of ["hot", "many", "million"] as const) {
        for (const id of ids) await crew.get(id)?.ask("preload", { set });
        tables.push(speedTable(keySets[set].name, await speed(crew, rounds, { ms, fresh: false })));
        if (set === "many")
          tables.push(speedTable(`${keySets[set].name}, with a new key string each time`, await speed(crew, rounds, { ms, fresh: true })));
      }
      const weigh = { count: quick ? 200_000 : 1_000_000, periodMs: quick ? 1000 : 4000 };
      const weights = await interleave(
        ids,
        { rounds: quick ? 1 : 3, warmUps: 0 },
        async (id) => (await crew.get(id)?.ask("weigh", weigh)) as Weight,
      );
      return { tables: [...tables, weightTable(weigh.count, weights)], goals: [] } satisfies Outcome;
    });
  },
};

function speed(crew: Crew, rounds: number, args: { ms: number; fresh: boolean }): Promise<Samples<number>> {
  return interleave(ids, { rounds }, async (id) => (await crew.get(id)?.ask("round", args)) as number);
}

function speedTable(title: string, samples: Samples<number>): Table {
  return {
    title,
    columns: ["layout", "CPU ns / call", "× Map of numbers"],
    rows: ids.map((id) => [
      layouts[id].name,
      digits(median(samples[id] ?? [])),
      withSpread(ratio(samples["map"] ?? [], samples[id] ?? [])),
    ]),
  };
}

function weightTable(keys: number, weights: Samples<Weight>): Table {
  const of = (id: LayoutId, field: keyof Weight): number => median(column(weights, id, (weight) => weight[field]));
  return {
    title: `${digits(keys)} keys`,
    columns: ["layout", "B / key", "adding keys, CPU ms", "longest call ms", "longest sweep ms", "all sweeps ms", "freed, %"],
    rows: ids.map((id) => [
      layouts[id].name,
      ...(["bytesPerKey", "fillMs", "longestTakeMs", "longestSweepMs", "sweepMs"] as const).map((field) => digits(of(id, field))),
      (100 * of(id, "givenBack")).toFixed(1),
    ]),
  };
}
