import { atMost, type Goal, type Table } from "../bench.ts";
import { digits, median } from "../figure.ts";
import type { Samples } from "../rounds.ts";
import { forecast } from "./forecast.ts";
import { of, type Sample, times } from "./measure.ts";
import { callsPerSecond, limits, processes } from "./refusals.ts";
import type { MeasuredGroup } from "./tables.ts";
import type { Variant } from "./variants.ts";

/** What the model predicts may be wrong by this factor. */
const tolerance = 2;

/**
 * Compares the model with every measured row, each as a multiple of the first row of its table. Only a few rows have calibrated the model.
 * The goal is that of Redis. A server with a single call in flight sleeps before each, and wakes up for more than the call costs.
 */
export async function checkModel(costsFile: string, groups: readonly MeasuredGroup[]): Promise<{ table: Table; goals: Goal[] }> {
  const rows: string[][] = [];
  let furthest = 1;
  for (const { group, samples } of groups) {
    const [first] = group.variants;
    const base = await predict(costsFile, first, samples);
    for (const variant of group.variants.slice(1)) {
      const predicted = await predict(costsFile, variant, samples);
      const [model, measured] = (["redisUs", "clientUs"] as const)
        .map((field) => [predicted[field] / base[field], times(samples, variant.name, first.name, field).value] as const)
        .reduce<[number[], number[]]>(
          ([a, b], [c, d]) => [
            [...a, c],
            [...b, d],
          ],
          [[], []],
        );
      const off = (measured[0] as number) / (model[0] as number);
      if (variant.connections * variant.inFlight > 1) furthest = Math.max(furthest, off, 1 / off);
      rows.push([
        `${variant.name}, × of ${first.name}`,
        ...[model[0], measured[0], model[1], measured[1]].map((value) => digits(value as number)),
      ]);
    }
  }
  return {
    table: {
      title: "The model and the measurements",
      columns: ["", "Redis CPU: model", "measured", "client CPU: model", "measured"],
      rows,
    },
    goals: [atMost("Redis CPU per decision, measured / model or model / measured", furthest, tolerance, "×")],
  };
}

async function predict(costsFile: string, variant: Variant, samples: Samples<Sample>): Promise<{ redisUs: number; clientUs: number }> {
  const { name, processes, connections, limits, keys } = variant;
  const { perCall } = await forecast(costsFile, {
    rps: Math.round(of(samples, name, "perSecond")),
    keys,
    processes: processes * connections,
    // So slow that all keys are stored, as they are in the measurement.
    limit: Array.from({ length: limits }, (_, i) => `1/${i + 1}d`),
    "per-write": Math.max(1, 1 / of(samples, name, "reads")),
    // One master, as in the measurement of many keys.
    memory: 1000,
  });
  return perCall;
}

/** How many calls the model expects of a key far above its limit. */
export async function predictRefusals(costsFile: string, samples: Samples<Sample>): Promise<ReadonlyMap<number, number>> {
  const predicted = new Map<number, number>();
  for (const limit of limits) {
    const rps = Math.round(of(samples, String(limit), "perSecond"));
    predicted.set(limit, (await forecast(costsFile, { rps, keys: 1, processes, limit: `${limit}/1s` })).calls);
  }
  return predicted;
}

/** The deny cache must keep at least as many calls away from Redis as the model says, within its tolerance. */
export function refusalGoals(samples: Samples<Sample>, predicted: ReadonlyMap<number, number>): Goal[] {
  const furthest = limits.map((limit) => median(callsPerSecond(samples, limit)) / (predicted.get(limit) ?? Number.NaN));
  return [atMost("calls of Redis for a refused key, measured / model", Math.max(...furthest), tolerance, "×")];
}
