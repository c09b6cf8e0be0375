import type { Table } from "../bench.ts";
import { digits, median } from "../figure.ts";
import { column, interleave, type Samples, withCrew } from "../rounds.ts";
import { prefixOf } from "./keys.ts";
import { measureRound, type Sample, type Scale, startWorker } from "./measure.ts";
import type { Site } from "./site.ts";
import type { Round } from "./station.ts";

/** The limits, in tokens per second, under which one key is refused. */
export const limits = [1, 10, 100, 1000] as const;

/** The processes that ask for the key. */
export const processes = 4;

/** Measures one key that all processes ask for as often as they can, so that most refusals need no answer from Redis. */
export async function measureRefusals(site: Site, { rounds, ms }: Scale): Promise<Samples<Sample>> {
  const setup = { limiters: 1, limits: 1, keys: 1, connections: 1 };
  const start = () => startWorker(setup, site, prefixOf(999));
  const starts = new Map(Array.from({ length: processes }, (_, i) => [`process ${i}`, start]));
  return withCrew(starts, (crew) =>
    interleave(limits.map(String), { rounds }, (perSecond) =>
      measureRound(site, () =>
        Promise.all([...crew.values()].map((worker) => worker.ask("refuse", { perSecond: Number(perSecond), ms }) as Promise<Round>)),
      ),
    ),
  );
}

/** How many calls reach Redis in a second, in each round. */
export function callsPerSecond(samples: Samples<Sample>, limit: number): number[] {
  return column(samples, String(limit), ({ perSecond, scripts }) => perSecond * scripts);
}

export function refusalTable(samples: Samples<Sample>, predicted: ReadonlyMap<number, number>): Table {
  return {
    title: `One key far above its limit, ${processes} processes`,
    columns: ["limit", "decisions / s", "calls of Redis / s", "predicted", "client CPU µs / decision"],
    rows: limits.map((limit) => [
      `${limit}/1s`,
      digits(median(column(samples, String(limit), ({ perSecond }) => perSecond))),
      digits(median(callsPerSecond(samples, limit))),
      digits(predicted.get(limit) ?? Number.NaN),
      digits(median(column(samples, String(limit), ({ clientUs }) => clientUs))),
    ]),
  };
}
