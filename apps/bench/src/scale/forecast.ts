import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Table } from "../bench.ts";
import { digits } from "../figure.ts";

const main = fileURLToPath(new URL("dist/main.js", import.meta.resolve("@ratelimit/cli/package.json")));

/** The parts of what `size --json` prints that tables show. packages/cli/src/size/model.ts describes them. */
export interface Forecast {
  readonly calls: number;
  readonly hottestCalls: number;
  readonly storedKeys: number;
  readonly perCall: { readonly redisUs: number; readonly clientUs: number };
  readonly masters: number;
  readonly redisCores: number;
  readonly clientCores: number;
  readonly storedBytes: number;
  readonly requestBitsPerSecond: number;
  readonly resources: readonly { readonly name: string; readonly used: number; readonly capacity: number }[];
  readonly failsFirst: { readonly resource: string; readonly atTimes: number };
}

/** What to ask of the command line. */
export type Question = Readonly<Record<string, string | number | readonly string[]>>;

/** Asks the command line for a size, with the costs of this run. */
export async function forecast(costsFile: string, question: Question): Promise<Forecast> {
  const options = Object.entries(question).flatMap(([name, value]) => [value].flat().flatMap((one) => [`--${name}`, String(one)]));
  const { stdout } = await promisify(execFile)(process.execPath, [main, "size", ...options, "--costs", costsFile, "--json"]);
  return JSON.parse(stdout) as Forecast;
}

function count(value: number): string {
  return value.toLocaleString("en-US");
}

/** Ten times more of everything in each step. A process decides 1,000 times a second, and each key is asked for every 100 seconds. */
const steps = [
  { processes: 10, keys: 1_000_000, rps: 10_000 },
  { processes: 100, keys: 10_000_000, rps: 100_000 },
  { processes: 1000, keys: 100_000_000, rps: 1_000_000 },
  { processes: 10_000, keys: 1_000_000_000, rps: 10_000_000 },
] as const;

/** Traffic on one key that never reaches its limit, so that only a lease keeps calls away from Redis. */
const highLimit = "1000000000/1s";

/** The simulated tables. */
export async function forecastTables(costsFile: string): Promise<Table[]> {
  const ask = (question: Question): Promise<Forecast> => forecast(costsFile, question);
  return [
    await sizeTable("Simulated: all keys equally busy, 100/1m", steps, (step) => ask({ ...step, limit: "100/1m" })),
    await sizeTable("Simulated: all keys equally busy, 1000/1d", steps, (step) => ask({ ...step, limit: "1000/1d" })),
    await sizeTable("Simulated: 10 % of the decisions on one key, never refused", steps, (step) =>
      ask({ ...step, limit: highLimit, hottest: 0.1 }),
    ),
    await sizeTable('Simulated: the same with a lease of "200ms"', steps, (step) =>
      ask({ ...step, limit: highLimit, hottest: 0.1, lease: "200ms" }),
    ),
  ];
}

async function sizeTable(title: string, rows: typeof steps, ask: (step: (typeof steps)[number]) => Promise<Forecast>): Promise<Table> {
  return {
    title,
    columns: [
      "decisions / s",
      "processes",
      "keys",
      "calls of Redis / s",
      "of the busiest key",
      "masters",
      "Redis cores",
      "client cores",
      "keys stored",
      "memory GB",
      "requests Gbit / s",
      "fails first, at × this load",
    ],
    rows: await Promise.all(
      rows.map(async (step) => {
        const { calls, hottestCalls, masters, redisCores, clientCores, storedKeys, storedBytes, requestBitsPerSecond, failsFirst } =
          await ask(step);
        return [
          ...[step.rps, step.processes, step.keys].map(count),
          ...[calls, hottestCalls].map(digits),
          failsFirst.atTimes < 1 ? `none; ${count(masters)} for the rest` : count(masters),
          ...[redisCores, clientCores, storedKeys, storedBytes / 1e9, requestBitsPerSecond / 1e9].map(digits),
          `${failsFirst.resource}, ${digits(failsFirst.atTimes)}`,
        ];
      }),
    ),
  };
}
