import { expect, test } from "vitest";
import { replayReport } from "../src/commands/replay.ts";
import type { Report } from "../src/report/report.ts";
import { cli } from "./support/cli.ts";
import { file } from "./support/folder.ts";
import { at, lines, noon, traffic } from "./support/log.ts";

function replayed(files: readonly string[], limit: string): Promise<Report> {
  return replayReport(files, { limit: [limit], key: "ip", format: "auto", top: 10 });
}

test("a late request counts at the latest time before it, and the report says how many there were", async () => {
  // Counted at 30 s, the request of 10 s takes the token that has just flowed back, and the next one is refused.
  const path = file("access.log", lines(at("192.0.2.1", 0, 0, 30, 10, 30)));
  const report = await replayed([path], "2/1m");
  expect(report).toMatchObject({ lines: { late: 1, mostLateSeconds: 20 }, policies: [{ refused: 2 }] });
  const { stdout } = await cli(["replay", path, "--limit", "2/1m"]);
  expect(stdout).toContain("1 request came out of order, by up to 20 s, and counted at the latest time before it.");
});

test("a wrong time far ahead is pointed out", async () => {
  const path = file("access.log", lines(at("192.0.2.1", 0, 86_400, 1, 2)));
  const { stdout } = await cli(["replay", path, "--limit", "2/1m"]);
  expect(stdout).toContain("That is far: a line with a wrong time holds back all lines after it.");
});

test("rotated logs may be named in any order", async () => {
  const requests = [...traffic({ requests: 6000, clients: 50, seed: 1 })];
  const parts = [0, 1, 2].map((i) => file(`access.log.${i}`, lines(requests.slice(i * 2000, (i + 1) * 2000))));
  const whole = await replayed([file("access.log", lines(requests))], "5/1m");
  for (const order of [parts, parts.toReversed()]) {
    const report = await replayed([...order], "5/1m");
    expect({ ...report, files: [] }).toEqual({ ...whole, files: [] });
  }
});

test("the logs of several servers count as one", async () => {
  const requests = [...traffic({ requests: 6000, clients: 50, seed: 2 })];
  const servers = [0, 1, 2].map((i) => file(`web-${i}.log`, lines(requests.filter((_, n) => n % 3 === i))));
  const whole = await replayed([file("access.log", lines(requests))], "5/1m");
  const report = await replayed([...servers], "5/1m");
  expect(report.lines.late).toBe(0);
  expect(report.policies.map(({ refused, topKeys }) => ({ refused, topKeys }))).toEqual(
    whole.policies.map(({ refused, topKeys }) => ({ refused, topKeys })),
  );
});

test("a long log is shown in steps that read well", async () => {
  const days = Array.from({ length: 400 }, (_, day) => ({ ip: "192.0.2.1", time: noon + day * 86_400_000 }));
  const { timeline } = await replayed([file("access.log", lines(days))], "5/1m");
  expect(timeline.stepSeconds).toBe(7 * 86_400);
  expect(timeline.starts.length).toBeLessThanOrEqual(240);
  expect(timeline.requests.reduce((sum, one) => sum + one, 0)).toBe(400);
});
