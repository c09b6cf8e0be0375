import { expect, test } from "vitest";
import { atLeast, atMost } from "../src/bench.ts";
import { digits, figure, ratio, withSpread } from "../src/figure.ts";
import { outcomeMarkdown } from "../src/markdown.ts";
import { reportMarkdown, withSection } from "../src/report.ts";
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

test("the report holds the tables, the goals and what they were measured on", () => {
  const text = reportMarkdown([run]);
  expect(text).toContain("| In process | fast | ≥ 2 × it | 2.50 | met |");
  expect(text).toContain("| In process | small | ≤ 80 B | 90.0 | **missed** |");
  expect(text).toContain("### one hot key\n\n| limiter | ns |\n|---|---:|\n| a\\|b | 12 |");
  expect(text).toContain("Run: 2026-01-02 03:04 UTC, Node 20.20.2, 2 × a processor, load at the start 0.1 / 0.2 / 0.3; 12 s.");
  expect(text).toContain("A note.");
});

test("what has its place on another page is put between its marks there, and only its goals stay", () => {
  const outage = { ...run, name: "outage" };
  const page = (inside: string): string => `# A page\n\n<!-- bench outage -->\n${inside}<!-- end of bench -->\n\nMore.\n`;
  const once = withSection(page("old\n"), outage);
  expect(once).toBe(page(outcomeMarkdown(outage)));
  expect(withSection(once, outage)).toBe(once);
  expect(() => withSection("# A page\n", outage)).toThrow("No place for the bench outage");
  expect(reportMarkdown([outage])).not.toContain("### one hot key");
  expect(reportMarkdown([outage])).toContain("| In process | fast |");
});

test("the last line names what fell short", () => {
  expect(verdict(run.outcome)).toBe("1 of 2 goals met; short of: small 90.0 (≤ 80 B)");
  expect(verdict({ tables: [], goals: [atLeast("fast", 2, 2, "×")] })).toBe("1 of 1 goals met");
});

test("what is no number meets no goal", () => {
  expect(atLeast("x", Number.NaN, 1, "").met).toBe(false);
  expect(atMost("x", Number.NaN, 1, "").met).toBe(false);
});

test("ratios are taken round by round", () => {
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

test("subjects take turns, and what warms up is not counted", async () => {
  const order: string[] = [];
  const samples = await interleave(["a", "b", "c"], { rounds: 2 }, async (id) => order.push(id));
  expect(order.join("")).toBe("abcbcacab");
  expect(samples).toEqual({ a: [6, 8], b: [4, 9], c: [5, 7] });
});
