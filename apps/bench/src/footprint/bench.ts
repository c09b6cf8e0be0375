import { atLeast, atMost, type Bench, type Goal, type Outcome, type Table } from "../bench.ts";
import { digits, median, ratio, withSpread } from "../figure.ts";
import { type SubjectId, subjects } from "../memory/subjects.ts";
import { column, interleave, type Samples } from "../rounds.ts";
import { Worker } from "../worker.ts";
import type { Flood, Flooding, Kept, NewKeys, Setup } from "./station.ts";

const ids: readonly SubjectId[] = ["checkSync", "fraction", "rlf", "erl", "fastify", "koa", "limiter", "map"];
const bursting: readonly SubjectId[] = ["checkSync", "rlf", "erl"];

/** The most memory that a flood of keys may take, in MB, as docs/reliability.md promises. */
const floodMb = 60;

/** Floods of our limiter and of a bare Map, with and without forced garbage collections. */
interface Floods {
  readonly ours: Flood;
  readonly oursUncollected: Flood;
  readonly map: Flood;
  readonly mapUncollected: Flood;
}

export const bench: Bench = {
  title: "Memory",
  about:
    "Distinct keys of 6 to 11 characters are added once each, under a limit of one token per period. Then one more key is checked 20 times a second for two periods. Bytes per key include the key string. Each measurement has its own process, and memory is read after a full garbage collection.",
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
    const underFlood = (what: "flood" | "floodMap", collects: boolean): Promise<Flood> =>
      inFresh("checkSync", (worker) => worker.ask(what, { ...flooded, collects } satisfies Flooding) as Promise<Flood>);
    const floods: Floods = {
      ours: await underFlood("flood", true),
      oursUncollected: await underFlood("flood", false),
      map: await underFlood("floodMap", true),
      mapUncollected: await underFlood("floodMap", false),
    };
    const newKeys: NewKeys[] = [];
    for (let round = 0; round < rounds; round++)
      newKeys.push(await inFresh("checkSync", (worker) => worker.ask("newKeys", { maxKeys: flooded.maxKeys }) as Promise<NewKeys>));
    return {
      tables: [keptTable(keys, kept, timers), burstTable(burstKeys, bursts), floodTable(flooded, floods), newKeyTable(newKeys)],
      goals: [...keptGoals(kept, timers), ...burstGoals(burstKeys, bursts), ...floodGoals(floods), ...newKeyGoals(newKeys)],
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
      "adding keys, CPU ms",
      "× rate-limiter-flexible's time",
      "longest call ms",
      "freed, %",
      "loop max ms",
    ],
    rows: ids.map((id) => [
      subjects[id].name,
      digits(of(kept, id, "bytesPerKey")),
      digits(of(kept, id, "rssPerKey")),
      String(timers.get(id)),
      digits(of(kept, id, "fillMs")),
      withSpread(fillRatio(kept, id)),
      digits(of(kept, id, "longestMs")),
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

function floodTable({ keys, maxKeys }: { keys: number; maxKeys: number }, floods: Floods): Table {
  const row = (name: string, collected: Flood, uncollected: Flood): string[] => [
    name,
    digits(collected.rssMb),
    digits(uncollected.rssMb),
    digits(uncollected.nsPerKey),
    fateOf(collected.stillBlocked && uncollected.stillBlocked),
  ];
  return {
    title: `${digits(keys)} distinct keys at \`maxKeys: ${maxKeys}\``,
    columns: ["stored in", "peak RSS, MB more", "peak RSS with uncollected garbage, MB more", "CPU ns / key", "the blocked key"],
    rows: [
      row(subjects.checkSync.name, floods.ours, floods.oursUncollected),
      row("a bare Map that deletes its oldest key", floods.map, floods.mapUncollected),
    ],
  };
}

function newKeyTable(newKeys: readonly NewKeys[]): Table {
  return {
    title: "A new key at `maxKeys`",
    columns: ["buckets in the table", "CPU, × of a new key below the cap"],
    rows: [
      ["nearly full", digits(median(newKeys.map(({ fresh }) => fresh)))],
      ["used up", digits(median(newKeys.map(({ spent }) => spent)))],
    ],
  };
}

function newKeyGoals(newKeys: readonly NewKeys[]): Goal[] {
  return [atMost("a new key in a table of used-up buckets", median(newKeys.map(({ spent }) => spent)), 2, "× of one below the cap")];
}

function fateOf(stillBlocked: boolean | undefined): string {
  if (stillBlocked === undefined) return "–";
  return stillBlocked ? "stays blocked" : "is free";
}

function keptGoals(kept: Samples<Kept>, timers: ReadonlyMap<SubjectId, number>): Goal[] {
  return [
    atMost("bytes per key", of(kept, "checkSync", "bytesPerKey"), 80, "B"),
    atMost("timers per process", timers.get("checkSync") ?? Number.NaN, 1, "at 10,000 keys"),
    atLeast("freed within two periods", 100 * of(kept, "checkSync", "givenBack"), 99, "%"),
    atMost("adding keys", fillRatio(kept, "checkSync").value, 0.4, "× rate-limiter-flexible's time"),
  ];
}

function burstGoals(keys: number, bursts: Samples<number>): Goal[] {
  return [atMost(`${digits(keys)} keys expire together: longest stall`, median(bursts["checkSync"] ?? []), 5, "ms")];
}

function floodGoals({ ours, oursUncollected }: Floods): Goal[] {
  return [
    atMost("RSS under a flood of keys", ours.rssMb, floodMb, "MB more"),
    atLeast("a blocked key under a flood", ours.stillBlocked && oursUncollected.stillBlocked ? 1 : 0, 1, "(stays blocked)"),
  ];
}
