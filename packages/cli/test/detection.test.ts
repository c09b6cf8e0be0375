import { setTimeout } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { replayReport } from "../src/commands/replay.ts";
import type { Report } from "../src/report/report.ts";
import { cli, json } from "./support/cli.ts";
import { file } from "./support/folder.ts";
import { at, line, lines } from "./support/log.ts";

const requests = at("192.0.2.1", 0, 0, 0);
const replayStdin = ["replay", "-", "--limit", "2/1m"];

function counted(content: string | Buffer): Promise<Report> {
  return replayReport([file("log", content)], { key: "ip", format: "auto", top: 3, limit: ["2/1m"] });
}

/** Lines such as a server prints when it starts. */
function noise(count: number): string {
  return Array.from({ length: count }, (_, i) => `worker ${i} started\n`).join("");
}

/** Parts that arrive one by one, if the program has started by then. */
async function* slowly<T>(...parts: readonly T[]): AsyncGenerator<T> {
  for (const [i, part] of parts.entries()) {
    if (i > 0) await setTimeout(800);
    yield part;
  }
}

describe("the format is looked for", () => {
  test("beyond the first chunk", async () => {
    const report = await json<Report>(replayStdin, { input: slowly("nginx starting\n", lines(requests)) });
    expect(report).toMatchObject({ formats: ["combined"], requests: 3, lines: { read: 4, bad: 1 } });
    expect(report.lines.badSamples).toMatchObject([{ line: 1, text: "nginx starting" }]);
  });

  test.for([49, 50, 51, 120, 949])("behind %i lines that no format fits, which count as bad", async (bad) => {
    const report = await counted(`\n${noise(bad)}\n${lines(requests)}`);
    expect(report).toMatchObject({ formats: ["combined"], requests: 3, lines: { read: bad + 3, bad } });
    expect(report.lines.badSamples[0]).toMatchObject({ line: 2, text: "worker 0 started" });
  });

  test("in at most 1,000 lines", { timeout: 60_000 }, async () => {
    const [wanted, chunk] = [400, noise(5000)];
    let sent = 0;
    const input = (function* endless(): Generator<string> {
      for (; sent < wanted; sent++) yield chunk;
    })();
    expect(await cli(replayStdin, { input })).toEqual({
      code: 2,
      stdout: "",
      stderr: 'Cannot recognize the format of standard input, whose first line is "worker 0 started": describe it with --format\n',
    });
    expect(sent).toBeLessThan(wanted);
  });

  test("and a line that only begins like JSON is not JSON", async () => {
    const broken = "{ worker started\n".repeat(10);
    expect(await counted(broken + lines(requests))).toMatchObject({ formats: ["combined"], requests: 3, lines: { bad: 10 } });
    await expect(counted(broken)).rejects.toThrow("Cannot recognize the format");
  });

  test("in each log", async () => {
    const logs = [lines(requests), noise(60) + lines(requests, line.json)].map((content) => file("log", content));
    const report = await replayReport(logs, { key: "ip", format: "auto", top: 3, limit: ["2/1m"] });
    expect(report).toMatchObject({ requests: 6, lines: { bad: 60 } });
    expect(report.formats.toSorted()).toEqual(["combined", "json"]);
  });
});

test("a format that is given is used at once", async () => {
  const content = noise(2000) + lines(requests);
  const report = await replayReport([file("log", content)], { key: "ip", format: "combined", top: 3, limit: ["2/1m"] });
  expect(report).toMatchObject({ formats: ["combined"], requests: 3, lines: { bad: 2000 } });
});

test("gzip is recognized if its first byte comes alone", async () => {
  const packed = gzipSync(lines(requests));
  const report = await json<Report>(replayStdin, { input: slowly(packed.subarray(0, 1), packed.subarray(1)) });
  expect(report).toMatchObject({ requests: 3, lines: { bad: 0 } });
});

test("a log of one byte is read", async () => {
  expect(await counted("\n")).toMatchObject({ requests: 0, lines: { read: 0 } });
});
