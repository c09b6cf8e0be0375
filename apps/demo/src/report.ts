import type { Scenario } from "./check.ts";
import type { Observation } from "./evaluate.ts";

/** A scenario and its observations, or `undefined` if it could not run. */
export interface Shown {
  readonly scenario: Scenario;
  readonly observations: readonly Observation[] | undefined;
}

const titles = ["combination", "route", "client", "admitted", "expected", "refused", "Retry-After", "Limit", "Remaining", ""];

/** Formats a table with a row for each step, and a line for each backend that was not set. */
export function table(shown: readonly Shown[]): string[] {
  const rows = shown.flatMap(({ scenario, observations = [] }) =>
    observations.map((observation) => [scenario.name, ...cells(observation)]),
  );
  const missing = new Set(shown.filter(({ observations }) => observations === undefined).map(({ scenario }) => scenario.backend));
  return [...aligned([titles, ...rows]), ...[...missing].map(({ name, needs }) => `${name}: not checked, ${needs} is not set`)];
}

function cells({ step, admitted, expected, refused, first, last, problems }: Observation): string[] {
  const span = (name: string): string => {
    const [from, to] = [first.get(name) ?? "-", last.get(name) ?? "-"];
    return from === to ? from : `${from} … ${to}`;
  };
  const { least, most } = expected;
  return [
    step.path,
    step.client,
    String(admitted),
    least === most ? String(least) : `${least} to ${most}`,
    String(refused),
    last.get("retry-after") ?? "-",
    span("x-ratelimit-limit"),
    span("x-ratelimit-remaining"),
    problems.length === 0 ? "ok" : `WRONG ${problems.join("; ")}`,
  ];
}

function aligned(rows: readonly string[][]): string[] {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0))) ?? [];
  return rows.map((cells) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}
