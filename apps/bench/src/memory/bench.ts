import { atLeast, type Bench, type Goal, type Outcome, type Table } from "../bench.ts";
import { digits, median, ratio, withSpread } from "../figure.ts";
import { column, interleave, type Samples, withCrew } from "../rounds.ts";
import { Worker } from "../worker.ts";
import { type KeySetId, keySets } from "./keys.ts";
import type { Sample, Setup } from "./station.ts";
import { type SubjectId, subjects } from "./subjects.ts";

/** How many times as fast as rate-limiter-flexible we want to be. */
const goals: Readonly<Record<KeySetId, { check: number; checkSync: number }>> = {
  hot: { check: 2, checkSync: 3.5 },
  many: { check: 2.6, checkSync: 4 },
  million: { check: 2.8, checkSync: 4 },
};
const refusedGoals = { check: 8, checkSync: 14 };
const bareMapGoal = 0.6;

const ids = Object.keys(subjects) as SubjectId[];

export const bench: Bench = {
  title: "In process",
  about:
    "CPU time of one check in a loop. All keys exist before the measurement starts and stay until it ends: ours as buckets that refill one token per millisecond, the others' as windows that outlast the run. In the refused tables, every key is at its limit. `×` is how many times as fast. The last two rows are the least that any limiter must do, synchronously and with a promise.",
  async run(quick) {
    const [rounds, ms] = quick ? [3, 40] : [11, 150];
    const keys: readonly KeySetId[] = quick ? ["hot", "many"] : ["hot", "many", "million"];
    const tables: Table[] = [];
    const met: Goal[] = [];
    for (const set of keys) {
      const admitted = await measure(set, false, rounds, ms);
      const refused = await measure(set, true, rounds, ms);
      tables.push(table(`${keySets[set].name}, admitted`, admitted), table(`${keySets[set].name}, refused`, refused));
      met.push(...admittedGoals(set, admitted), ...(set === "hot" ? hotRefusedGoals(refused) : []), ...neverSlower(set, admitted, refused));
    }
    return { tables, goals: met } satisfies Outcome;
  },
};

const cpu = (samples: Samples<Sample>, id: SubjectId): number[] => column(samples, id, ({ cpuNs }) => cpuNs);

function measure(keys: KeySetId, refused: boolean, rounds: number, ms: number): Promise<Samples<Sample>> {
  const start = (subject: SubjectId) => (): Promise<Worker> =>
    Worker.start("memory", { subject, keys, refused } satisfies Setup, { flags: ["--expose-gc"] });
  return withCrew(new Map(ids.map((id) => [id, start(id)])), (crew) =>
    interleave(ids, { rounds }, async (id) => (await crew.get(id)?.ask("round", { ms })) as Sample),
  );
}

function table(title: string, samples: Samples<Sample>): Table {
  return {
    title,
    columns: ["limiter", "CPU ns / check", "× rate-limiter-flexible", "× bare Map"],
    rows: ids.map((id) => [
      subjects[id].name,
      digits(median(cpu(samples, id))),
      withSpread(ratio(cpu(samples, "rlf"), cpu(samples, id))),
      withSpread(ratio(cpu(samples, "map"), cpu(samples, id))),
    ]),
  };
}

function admittedGoals(set: KeySetId, samples: Samples<Sample>): Goal[] {
  const name = keySets[set].name;
  const times = (over: SubjectId, id: SubjectId): number => ratio(cpu(samples, over), cpu(samples, id)).value;
  return [
    atLeast(`${name}: \`await check\``, times("rlf", "check"), goals[set].check, "× rate-limiter-flexible"),
    atLeast(`${name}: \`checkSync\``, times("rlf", "checkSync"), goals[set].checkSync, "× rate-limiter-flexible"),
    atLeast(`${name}: \`checkSync\``, times("map", "checkSync"), bareMapGoal, "× a bare Map loop"),
  ];
}

function hotRefusedGoals(samples: Samples<Sample>): Goal[] {
  return (["check", "checkSync"] as const).map((id) =>
    atLeast(`refused: ${id}`, ratio(cpu(samples, "rlf"), cpu(samples, id)).value, refusedGoals[id], "× rate-limiter-flexible"),
  );
}

/** A refusal must not cost more than an admission. The 5 % allow for the difference between two runs. */
function neverSlower(set: KeySetId, admitted: Samples<Sample>, refused: Samples<Sample>): Goal[] {
  return (["check", "checkSync"] as const).map((id) =>
    atLeast(`${keySets[set].name}: refused ${id}`, ratio(cpu(admitted, id), cpu(refused, id)).value, 0.95, "× as fast as admitted"),
  );
}
