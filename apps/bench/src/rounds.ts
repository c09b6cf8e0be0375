import type { Worker } from "./worker.ts";

/** The subjects of a table, each in a process of its own. */
export type Crew<Id extends string = string> = ReadonlyMap<Id, Worker>;

/** Starts a worker for each subject, lets each prove itself, uses them, and ends them whatever happens. */
export async function withCrew<T>(starts: ReadonlyMap<string, () => Promise<Worker>>, use: (crew: Crew) => Promise<T>): Promise<T> {
  const crew = new Map<string, Worker>();
  try {
    for (const [id, start] of starts) {
      const worker = await start();
      crew.set(id, worker);
      await worker.ask("prove");
    }
    return await use(crew);
  } finally {
    await Promise.all([...crew.values()].map((worker) => worker.stop()));
  }
}

/** What each round of each subject came to. */
export type Samples<Sample> = Readonly<Record<string, Sample[]>>;

/**
 * Measures subjects in turns, A B C, B C A, ..., so that what the machine does meanwhile hits all of them.
 * The first `warmUps` rounds are not counted.
 */
export async function interleave<Id extends string, Sample>(
  ids: readonly Id[],
  { rounds, warmUps = 1 }: { rounds: number; warmUps?: number },
  measure: (id: Id) => Promise<Sample>,
): Promise<Samples<Sample>> {
  const samples: Samples<Sample> = Object.fromEntries(ids.map((id) => [id, []]));
  for (let round = 0; round < warmUps + rounds; round++) {
    const start = round % ids.length;
    for (const id of [...ids.slice(start), ...ids.slice(0, start)]) {
      const sample = await measure(id);
      if (round >= warmUps) samples[id]?.push(sample);
    }
  }
  return samples;
}

/** One figure of every sample of a subject. */
export function column<Sample>(samples: Samples<Sample>, id: string, of: (sample: Sample) => number): number[] {
  return (samples[id] ?? []).map(of);
}
