import { describe, expect, test } from "vitest";
import { type ReplayOptions, replayReport } from "../src/commands/replay.ts";
import { anyTime, clfTime } from "../src/logs/time.ts";
import type { Report } from "../src/report/report.ts";
import { json } from "./support/cli.ts";
import { file } from "./support/folder.ts";
import { line, noon } from "./support/log.ts";

const good = line.json({ time: noon, ip: "192.0.2.1" });

function counted(content: string, options: Partial<ReplayOptions> = {}): Promise<Report> {
  return replayReport([file("log", content)], { key: "ip", format: "auto", top: 3, limit: ["2/1m"], ...options });
}

describe("a time outside 1973 to 2106 makes a bad line", () => {
  test.for([
    "1e23",
    "1e999",
    "1e20",
    "-1e12",
    "0",
    "0.012",
    '"99999999999999999999999999"',
    '"9999-12-31T23:59:59Z"',
    "4294967296000",
    '"2106-02-07T06:28:16Z"',
    '"1970-01-01T00:00:00Z"',
  ])("%s", async (time) => {
    const report = await counted(`${good}\n{"ts":${time},"ip":"192.0.2.1"}\n`);
    expect(report).toMatchObject({ requests: 1, lines: { bad: 1 } });
  });

  test("in a log_format of nginx", async () => {
    const report = await counted(`${"9".repeat(26)} 192.0.2.1\n${noon / 1000}.000 192.0.2.1\n`, { format: "$msec $remote_addr" });
    expect(report).toMatchObject({ requests: 1, lines: { bad: 1 } });
  });

  test("in the Common format", () => {
    expect(clfTime("24/Nov/9999:12:00:00 +0000")).toBeNaN();
    expect(clfTime("24/Nov/0026:12:00:00 +0000")).toBeNaN();
  });
});

test.for([
  "2026-11-24T12:00:00Z",
  "2026-11-24T12:00Z",
  "2026-11-24T12:00:00.000000001Z",
  "2026-11-24T13:30:00+01:30",
  "2026-11-24T13:30:00+0130",
  "2026-11-24T07:00:00-05",
  "2026-11-24 12:00:00",
  "2026-11-24 12:00:00,000",
  "2026-11-24 12:00:00 UTC",
  "2026-11-24 13:30:00 +0130",
  "2026/11/24 12:00:00",
  "2026/11/24 12:00:00.000",
  "Tue, 24 Nov 2026 12:00:00 GMT",
  "Tue, 24 Nov 2026 13:30:00 +0130",
  "24 Nov 2026 12:00",
  "24/Nov/2026:12:00:00 +0000",
])("%s is a time", (text) => {
  expect(anyTime(text)).toBe(noon);
});

test("fractions are read to the millisecond, and a date alone is its midnight", () => {
  expect(anyTime("2026/11/24 12:00:00.1239")).toBe(noon + 123);
  expect(anyTime("2026-11-24T12:00:00.5Z")).toBe(noon + 500);
  expect(anyTime("2026-11-24")).toBe(noon - 12 * 3_600_000);
});

test.for([
  "request took 12",
  "user-5",
  "12.3ms",
  "",
  "-",
  "Nov 24",
  "24/Foo/2026:12:00:00 +0000",
  "24 Foo 2026 12:00:00 GMT",
  "2026-13-24T12:00:00Z",
  "2026-11-24T25:00:00Z",
  "2026-11/24 12:00:00",
  "2026-11-24T12:00:00Z and more",
])("%j is none", (text) => {
  expect(anyTime(text)).toBeNaN();
});

test.for(["UTC", "America/New_York", "Asia/Tokyo"])("a time without a zone is UTC with TZ=%s", async (TZ) => {
  const times = ["2026/11/01 01:59:59", "2026-11-01 01:59:59", "1 Nov 2026 01:59:59"];
  const path = file("log", times.map((time) => `{"time":"${time}","ip":"192.0.2.1"}\n`).join(""));
  const { from, to, requests } = await json<Report>(["replay", path, "--limit", "2/1m"], { env: { TZ } });
  expect({ from, to, requests }).toEqual({ from: "2026-11-01T01:59:59.000Z", to: "2026-11-01T01:59:59.000Z", requests: 3 });
});

test.for(['"12.3ms"', "0.012", "null", "{}"])("a field that holds no time, such as %s, gives way to the next one", async (time) => {
  const report = await counted(`{"time":${time},"@timestamp":"2026-11-24T12:00:00Z","ip":"192.0.2.1"}\n`);
  expect(report).toMatchObject({ requests: 1, from: "2026-11-24T12:00:00.000Z", lines: { bad: 0 } });
});
