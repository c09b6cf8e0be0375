import type { Worker } from "./worker.ts";

/** The subjects of a table, each in its own process. */
export type Crew<Id extends string = string> = ReadonlyMap<Id, Worker>;

/** Starts a worker for each subject and makes it prove itself. When `use` is done or fails, all workers are stopped. */
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

/** The samples of each subject, one per round. */
export type Samples<Sample> = Readonly<Record<string, Sample[]>>;

/**
 * Measures subjects in turns (A B C, B C A, ...), so that other load on the machine affects all of them alike.
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

/** Picks one number from every sample of a subject. */
export function column<Sample>(samples: Samples<Sample>, id: string, of: (sample: Sample) => number): number[] {
  return (samples[id] ?? []).map(of);
}
