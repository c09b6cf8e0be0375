import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");

/** Where a row of the comparison comes from: the column of a table that a bench has written. */
interface Source {
  readonly row: string;
  readonly page: string;
  readonly table: string;
  readonly column: string;
}

const sources: readonly Source[] = [
  { row: "Redis frozen: longest decision, ms", page: "reliability", table: "Redis frozen (SIGSTOP)", column: "longest ms" },
  { row: "Redis cut off: longest decision, ms", page: "reliability", table: "Redis cut off by the network", column: "longest ms" },
  { row: "Redis restarted: in use again after, ms", page: "reliability", table: "Redis killed, then restarted", column: "back after ms" },
  { row: "a million keys: memory of each, bytes", page: "performance", table: "1.00M keys", column: "B / key" },
  { row: "a million keys: longest pause when they were added, ms", page: "performance", table: "1.00M keys", column: "longest call ms" },
  { row: "a million keys: memory given back after two periods, %", page: "performance", table: "1.00M keys", column: "freed, %" },
];

const limiters = ["@ratelimit", "rate-limiter-flexible", "express-rate-limit", "@fastify/rate-limit", "koa-ratelimit"];

test("the README compares the figures that the benches wrote", () => {
  const [, table = ""] = /<!-- comparison -->\n(.*?)<!-- end of comparison -->/s.exec(readFileSync(join(root, "README.md"), "utf8")) ?? [];
  expect(rowsOf(table)).toEqual([
    ["", ...limiters],
    ...sources.map((source) => [source.row, ...limiters.map((name) => cell(source, name))]),
  ]);
});

function cell({ page, table, column }: Source, limiter: string): string | undefined {
  const text = readFileSync(join(root, `docs/${page}.md`), "utf8");
  const [, section = ""] = text.split(`### ${table}`);
  const [columns = [], ...rows] = rowsOf(section.split(/^#/m)[0] as string);
  return rows.find(([name]) => name?.startsWith(limiter))?.[columns.indexOf(column)]?.replace(/^-0\.0$/, "0.0");
}

/** Returns the cells of a Markdown table. */
function rowsOf(text: string): string[][] {
  const lines = text.split("\n").filter((line) => line.startsWith("|") && !/^[|: -]+$/.test(line));
  return lines.map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((part) => part.trim()),
  );
}
