import { atMost, type Bench, type Goal, type Outcome, type Table } from "../bench.ts";
import { digits } from "../figure.ts";
import { addedGoals } from "../http/bench.ts";
import type { LimiterId } from "../http/limiters.ts";
import { type Framework, frameworks, nameOf } from "../http/servers.ts";
import { CountedWorker } from "./callgrind.ts";
import type { Setup } from "./station.ts";

const limiters: readonly LimiterId[] = ["none", "minimal", "ours", "peer"];

/** The instructions of a request, by limiter. */
type Counts = ReadonlyMap<LimiterId, number>;

export const bench: Bench = {
  title: "HTTP, counted",
  about:
    "The servers of the HTTP tables, with valgrind counting the instructions of each instead of a clock measuring its time. Neighbors on the machine do not change a count, so small differences mean something here. A process serves one request after the other to itself, and after a warm-up its instructions are counted, those of the client included. What a limiter adds is the difference to the same framework without a limiter.",
  async run(quick) {
    const tables: Table[] = [];
    const goals: Goal[] = [];
    for (const framework of frameworks) {
      const admitted = await count(framework, false, quick);
      const refused = await count(framework, true, quick);
      tables.push(table(framework, "admitted", admitted), table(framework, "refused", refused));
      goals.push(...goalsOf(framework, admitted, refused));
    }
    return { tables, goals } satisfies Outcome;
  },
};

/** Counts two servers at a time. They do not disturb each other, and most machines have two cores. */
async function count(framework: Framework, refused: boolean, quick: boolean): Promise<Counts> {
  const counts = new Map<LimiterId, number>();
  for (let at = 0; at < limiters.length; at += 2) {
    const pair = limiters.slice(at, at + 2);
    const found = await Promise.all(pair.map((limiter) => countOf({ framework, limiter, refused }, quick)));
    for (const [i, limiter] of pair.entries()) counts.set(limiter, found[i] as number);
  }
  return counts;
}

async function countOf(setup: Setup, quick: boolean): Promise<number> {
  const requests = quick ? 200 : 2000;
  await using worker = await CountedWorker.start("instructions", setup);
  await worker.ask("prove");
  await worker.ask("requests", { count: requests });
  return (await worker.during(() => worker.ask("requests", { count: requests }))) / requests;
}

function added(counts: Counts, limiter: LimiterId): number {
  return of(counts, limiter) - of(counts, "none");
}

function of(counts: Counts, limiter: LimiterId): number {
  return counts.get(limiter) as number;
}

function table(framework: Framework, what: "admitted" | "refused", counts: Counts): Table {
  return {
    title: `${framework}, counted, all ${what}`,
    columns: ["server", "instructions / request", "added", "added, × the peer's"],
    rows: limiters.map((limiter) => [
      nameOf(framework, limiter),
      digits(of(counts, limiter)),
      ...(limiter === "none" ? ["–", "–"] : [digits(added(counts, limiter)), digits(added(counts, limiter) / added(counts, "peer"))]),
    ]),
  };
}

function goalsOf(framework: Framework, admitted: Counts, refused: Counts): Goal[] {
  const peer = nameOf(framework, "peer");
  return [
    atMost(`${framework}: added`, added(admitted, "ours") / added(admitted, "peer"), addedGoals[framework], `× that of ${peer}`),
    atMost(`${framework}: refused`, of(refused, "ours") / of(refused, "peer"), 1, `× ${peer}`),
  ];
}
