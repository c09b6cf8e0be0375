import type { Machine } from "../machine.ts";
import type { Samples } from "../rounds.ts";
import { keyLength } from "./keys.ts";
import { type CpuField, lowest, of, type Sample, times } from "./measure.ts";
import type { Memory } from "./memory.ts";
import { flightGroup, type Group, limitGroup, type Variant } from "./variants.ts";

/** What the costs are derived from. */
export interface Measured {
  readonly flight: Samples<Sample>;
  readonly limits: Samples<Sample>;
  readonly keys: Samples<Sample>;
  readonly keyGroup: Group;
  readonly memory: Memory;
  readonly localRefusalUs: number;
}

/**
 * Derives the cost of each part of a check, as `size --costs` of the command line reads it: packages/cli/src/size/costs.ts describes the
 * fields. All CPU times are multiples of one, the lowest round of calls that share writes: the machine
 * is not equally busy during all tables, but ratios within a table hold.
 */
export function costsOf(measured: Measured, { date, cpu, cores, node }: Machine, redisVersion: string) {
  const { flight, limits, keys, keyGroup, memory } = measured;
  const [one, eight] = [limitGroup.variants[0], limitGroup.variants.at(-1) as Variant];
  const extraLimits = eight.limits - one.limits;
  const cpuPerExtraLimit = (field: CpuField): number =>
    (lowest(flight, shared, field) * growth(limits, eight.name, one.name, field)) / extraLimits;
  const bytesPerExtraLimit = (field: "inBytes" | "outBytes"): number =>
    (of(limits, eight.name, field) - of(limits, one.name, field)) / extraLimits;
  const [few, many] = [keyGroup.variants.find((variant) => variant.keys === 10_000), keyGroup.variants.at(-1)] as [Variant, Variant];
  const [short, long] = [keyLength, Math.max(...memory.byLength.keys())];
  const [ofShort, ofLong] = [memory.byLength.get(short) as number, memory.byLength.get(long) as number];
  const perCharacter = (ofLong - ofShort) / (long - short);
  return rounded({
    date: date.slice(0, 10),
    machine: `${cores} × ${cpu}, Redis ${redisVersion}, Node ${node.slice(1)}`,
    redis: {
      ...perWrite(flight, "redisUs"),
      perExtraLimit: cpuPerExtraLimit("redisUs"),
      manyKeys: lowest(flight, shared, "redisUs") * growth(keys, many.name, few.name, "redisUs"),
    },
    client: { ...perWrite(flight, "clientUs"), perExtraLimit: cpuPerExtraLimit("clientUs"), perLocalRefusal: measured.localRefusalUs },
    request: { fixed: of(flight, alone, "inBytes") - keyLength, perExtraLimit: bytesPerExtraLimit("inBytes") },
    reply: { fixed: of(flight, alone, "outBytes"), perExtraLimit: bytesPerExtraLimit("outBytes") },
    storedKey: { fixed: ofShort - perCharacter * short, perCharacter, perExtraLimit: memory.perExtraLimit },
    connection: { perMaster: memory.connectionsPerMaster, bytes: memory.perConnection },
  });
}

const [{ name: shared }, , { name: alone }] = flightGroup.variants as readonly [Variant, Variant, Variant];

/** Splits a CPU time into the part for each check and the part for each write, from calls that share writes and calls that do not. */
function perWrite(flight: Samples<Sample>, field: CpuField): { perCheck: number; perWrite: number } {
  const together = lowest(flight, shared, field);
  const cost = (together * growth(flight, alone, shared, field)) / (of(flight, alone, "reads") - of(flight, shared, "reads"));
  return { perCheck: together - cost * of(flight, shared, "reads"), perWrite: cost };
}

/** By which part of itself a cost grows from one variant to another: 0.5 for one and a half times as much. */
function growth(samples: Samples<Sample>, name: string, than: string, field: CpuField): number {
  return Math.max(0, times(samples, name, than, field).value - 1);
}

/** Rounds every number to three digits, because no more were measured. */
function rounded<T>(value: T): T {
  return JSON.parse(JSON.stringify(value, (_, one: unknown) => (typeof one === "number" ? Number(one.toPrecision(3)) : one))) as T;
}
