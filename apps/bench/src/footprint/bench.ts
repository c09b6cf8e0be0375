import { atLeast, atMost, type Bench, type Goal, type Outcome, type Table } from "../bench.ts";
import { digits, median, ratio, withSpread } from "../figure.ts";
import { type SubjectId, subjects } from "../memory/subjects.ts";
import { column, interleave, type Samples } from "../rounds.ts";
import { Worker } from "../worker.ts";
import type { Flood, Kept, Setup } from "./station.ts";

const ids: readonly SubjectId[] = ["checkSync", "fraction", "rlf", "erl", "fastify", "koa", "limiter", "map"];
const bursting: readonly SubjectId[] = ["checkSync", "rlf", "erl"];

/** Megabytes that a flood of keys may cost: reliability's promise. */
const floodMb = 60;

export const bench: Bench = {
  title: "Memory",
  about:
    "Distinct keys of 6 to 11 characters are taken in once, each in a limit of one token per period, the bytes of the key's text included; then a key of its own is asked 20 times a second for two periods. A process for every measurement; memory after a full collection.",
  async run(quick) {
    const [keys, periodMs, burstKeys, rounds] = quick ? [100_000, 1000, 50_000, 1] : [1_000_000, 4000, 200_000, 5];
    const kept = await interleave(ids, { rounds, warmUps: 0 }, (id) =>
      inFresh(id, (worker) => worker.ask("keep", { keys, periodMs }) as Promise<Kept>),
    );
    const bursts = await interleave(bursting, { rounds, warmUps: 0 }, (id) =>
      inFresh(id, (worker) => worker.ask("burst", { keys: burstKeys, periodMs: periodMs / 2 }) as Promise<number>),
    );
    const timers = new Map<SubjectId, number>();
    for (const id of ids) timers.set(id, await inFresh(id, (worker) => worker.ask("timers", { keys: 10_000 }) as Promise<number>));
    const flooded = { keys: quick ? 1_000_000 : 10_000_000, maxKeys: 100_000 };
    const flood = await inFresh("checkSync", (worker) => worker.ask("flood", flooded) as Promise<Flood>);
    return {
      tables: [keptTable(keys, kept, timers), burstTable(burstKeys, bursts), floodTable(flooded, flood)],
      goals: [...keptGoals(kept, timers), ...burstGoals(burstKeys, bursts), ...floodGoals(flood)],
    } satisfies Outcome;
  },
};

async function inFresh<T>(subject: SubjectId, use: (worker: Worker) => Promise<T>): Promise<T> {
  await using worker = await Worker.start("footprint", { subject } satisfies Setup, { flags: ["--expose-gc"] });
  await worker.ask("prove");
  const value = await use(worker);
  await worker.ask("end");
  return value;
}

const of = (samples: Samples<Kept>, id: SubjectId, field: keyof Kept): number => median(column(samples, id, (sample) => sample[field]));

function keptTable(keys: number, kept: Samples<Kept>, timers: ReadonlyMap<SubjectId, number>): Table {
  return {
    title: `${digits(keys)} keys`,
    columns: [
      "limiter",
      "B / key",
      "RSS B / key",
      "timers per 10,000 keys",
      "taken in, CPU ms",
      "× rate-limiter-flexible's time",
      "given back, %",
      "loop max ms",
    ],
    rows: ids.map((id) => [
      subjects[id].name,
      digits(of(kept, id, "bytesPerKey")),
      digits(of(kept, id, "rssPerKey")),
      String(timers.get(id)),
      digits(of(kept, id, "fillMs")),
      withSpread(fillRatio(kept, id)),
      (100 * of(kept, id, "givenBack")).toFixed(1),
      digits(of(kept, id, "loopMaxMs")),
    ]),
  };
}

function fillRatio(kept: Samples<Kept>, id: SubjectId): ReturnType<typeof ratio> {
  const fill = (subject: SubjectId): number[] => column(kept, subject, ({ fillMs }) => fillMs);
  return ratio(fill(id), fill("rlf"));
}

function burstTable(keys: number, bursts: Samples<number>): Table {
  return {
    title: `${digits(keys)} keys that expire together`,
    columns: ["limiter", "loop max ms", "each round"],
    rows: bursting.map((id) => [subjects[id].name, digits(median(bursts[id] ?? [])), (bursts[id] ?? []).map(digits).join(", ")]),
  };
}

function floodTable({ keys, maxKeys }: { keys: number; maxKeys: number }, { rssMb, nsPerKey, stillBlocked }: Flood): Table {
  return {
    title: `${digits(keys)} distinct keys at \`maxKeys: ${maxKeys}\``,
    columns: ["limiter", "RSS at the most, MB more", "CPU ns / key", "the blocked key"],
    rows: [[subjects.checkSync.name, digits(rssMb), digits(nsPerKey), stillBlocked ? "stays blocked" : "is free"]],
  };
}

function keptGoals(kept: Samples<Kept>, timers: ReadonlyMap<SubjectId, number>): Goal[] {
  return [
    atMost("bytes per key", of(kept, "checkSync", "bytesPerKey"), 80, "B"),
    atMost("timers per process", timers.get("checkSync") ?? Number.NaN, 1, "at 10,000 keys"),
    atLeast("given back within two periods", 100 * of(kept, "checkSync", "givenBack"), 99, "%"),
    atMost("taking keys in", fillRatio(kept, "checkSync").value, 0.4, "× rate-limiter-flexible's time"),
  ];
}

function burstGoals(keys: number, bursts: Samples<number>): Goal[] {
  return [atMost(`${digits(keys)} keys expire together: longest stall`, median(bursts["checkSync"] ?? []), 5, "ms")];
}

function floodGoals({ rssMb, stillBlocked }: Flood): Goal[] {
  return [
    atMost("RSS under a flood of keys", rssMb, floodMb, "MB more"),
    atLeast("a blocked key under a flood", stillBlocked ? 1 : 0, 1, "(stays blocked)"),
  ];
}
