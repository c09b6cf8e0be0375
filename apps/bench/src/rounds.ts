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

/**
 * Measures subjects in turns, A B C, B C A, ..., so that what the machine does meanwhile hits all of them.
 * The first round warms up and is not counted.
 */
export async function interleave<Sample>(
  ids: readonly string[],
  rounds: number,
  measure: (id: string, round: number) => Promise<Sample>,
): Promise<Record<string, Sample[]>> {
  const samples: Record<string, Sample[]> = Object.fromEntries(ids.map((id) => [id, []]));
  for (let round = 0; round <= rounds; round++) {
    const start = round % ids.length;
    for (const id of [...ids.slice(start), ...ids.slice(0, start)]) {
      const sample = await measure(id, round);
      if (round > 0) samples[id]?.push(sample);
    }
  }
  return samples;
}

/** One field of every sample of a subject. */
export function column<Sample>(samples: Record<string, Sample[]>, id: string, of: (sample: Sample) => number): number[] {
  return (samples[id] ?? []).map(of);
}
