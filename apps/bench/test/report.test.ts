import { expect, test } from "vitest";
import { atLeast, atMost } from "../src/bench.ts";
import { digits, figure, ratio, withSpread } from "../src/figure.ts";
import { outcomeMarkdown } from "../src/markdown.ts";
import { reportMarkdown, withRun, withSection } from "../src/report.ts";
import { type Run, verdict } from "../src/results.ts";
import { interleave } from "../src/rounds.ts";

const run: Run = {
  name: "memory",
  title: "In process",
  about: "About it.",
  quick: false,
  seconds: 12,
  machine: {
    date: "2026-01-02 03:04",
    node: "v20.20.2",
    cpu: "a processor",
    cores: 2,
    system: "linux 6",
    load: "0.1 / 0.2 / 0.3",
    pinned: true,
  },
  outcome: {
    tables: [{ title: "one hot key", columns: ["limiter", "ns"], rows: [["a|b", "12"]] }],
    goals: [atLeast("fast", 2.5, 2, "× it"), atMost("small", 90, 80, "B")],
    notes: ["A note."],
  },
};

test("the report contains the tables, the goals and the machine", () => {
  const text = reportMarkdown([run]);
  expect(text).toContain("| In process | fast | ≥ 2 × it | 2.50 | met |");
  expect(text).toContain("| In process | small | ≤ 80 B | 90.0 | **missed** |");
  expect(text).toContain("### one hot key\n\n| limiter | ns |\n|---|---:|\n| a\\|b | 12 |");
  expect(text).toContain("Run: 2026-01-02 03:04 UTC, Node 20.20.2, 2 × a processor, load at the start 0.1 / 0.2 / 0.3; 12 s.");
  expect(text).toContain("A note.");
});

test("a bench that belongs on another page is written between its marks there, and the report keeps only its goals", () => {
  const outage = { ...run, name: "outage" };
  const page = (inside: string): string => `# A page\n\n<!-- bench outage -->\n${inside}<!-- end of bench -->\n\nMore.\n`;
  const once = withSection(page("old\n"), outage);
  expect(once).toBe(page(outcomeMarkdown(outage)));
  expect(withSection(once, outage)).toBe(once);
  expect(() => withSection("# A page\n", outage)).toThrow("no marks for the bench outage");
  expect(reportMarkdown([outage])).not.toContain("### one hot key");
  expect(reportMarkdown([outage])).toContain("| In process | fast |");
});

test("what one run measured is replaced, and what others measured stays", () => {
  const other: Run = { ...run, name: "http", title: "In" };
  const page = reportMarkdown([run, other]);
  const better: Run = { ...run, about: "It again.", outcome: { ...run.outcome, goals: [atMost("small", 70, 80, "B")] } };
  const text = withRun(page, better);
  expect(text).toContain(
    "| In | fast | ≥ 2 × it | 2.50 | met |\n| In | small | ≤ 80 B | 90.0 | **missed** |\n| In process | small | ≤ 80 B | 70.0 | met |\n\n## In process\n\nIt again.",
  );
  expect(text).not.toContain("| In process | fast |");
  expect(text.endsWith(`\n\n${outcomeMarkdown(other)}`)).toBe(true);
  expect(withRun(text, better)).toBe(text);
});

test("a run that was not in the report is added to it", () => {
  const other: Run = { ...run, name: "http", title: "In" };
  expect(withRun(reportMarkdown([run]), other)).toBe(reportMarkdown([run, other]));
  const elsewhere: Run = { ...other, name: "outage" };
  expect(withRun(reportMarkdown([run]), elsewhere)).toBe(reportMarkdown([run, elsewhere]));
});

test("the last line names the missed goals", () => {
  expect(verdict(run.outcome)).toBe("1 of 2 goals met; missed: small 90.0 (≤ 80 B)");
  expect(verdict({ tables: [], goals: [atLeast("fast", 2, 2, "×")] })).toBe("1 of 1 goals met");
});

test("NaN meets no goal", () => {
  expect(atLeast("x", Number.NaN, 1, "").met).toBe(false);
  expect(atMost("x", Number.NaN, 1, "").met).toBe(false);
});

test("a ratio is computed for each round", () => {
  expect(ratio([10, 200, 30], [5, 100, 10])).toEqual({ value: 2, low: 2, high: 3 });
  expect(withSpread(figure([8, 10, 15]))).toBe("10.0 (-20/+50 %)");
  expect([0, 0.123456, 85.44, 1240.4, 10_400, 101_000, 4_500_000].map(digits)).toEqual([
    "0",
    "0.123",
    "85.4",
    "1240",
    "10.4k",
    "101k",
    "4.50M",
  ]);
});

test("subjects take turns, and warm-up rounds are not counted", async () => {
  const order: string[] = [];
  const samples = await interleave(["a", "b", "c"], { rounds: 2 }, async (id) => order.push(id));
  expect(order.join("")).toBe("abcbcacab");
  expect(samples).toEqual({ a: [6, 8], b: [4, 9], c: [5, 7] });
});
