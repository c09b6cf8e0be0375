import { expect, test } from "vitest";
import { type ReplayOptions, replayReport } from "../src/commands/replay.ts";
import type { Report } from "../src/report/report.ts";
import { cli, json } from "./support/cli.ts";
import { file } from "./support/folder.ts";
import { at, lines, noon, type Request, traffic } from "./support/log.ts";
import { oracle } from "./support/oracle.ts";

function replayed(requests: readonly Request[], options: Partial<ReplayOptions>): Promise<Report> {
  return replayReport([file("access.log", lines(requests))], { key: "ip", format: "auto", top: 10, ...options });
}

function iso(second: number): string {
  return new Date(noon + second * 1000).toISOString();
}

// 2 per minute is one token every 30 s, from a bucket of 2.
function tallied<T>(values: readonly T[]): Map<T, number> {
  const counts = new Map<T, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

test.for([
  { title: "two at once are admitted, the third is refused", seconds: [0, 0, 0], limit: "2/1m", refused: 1 },
  { title: "one token is back after 30 s", seconds: [0, 0, 30, 30], limit: "2/1m", refused: 1 },
  { title: "a token that is 1 s short refuses", seconds: [0, 0, 29], limit: "2/1m", refused: 1 },
  { title: "a refused request takes nothing", seconds: [0, 0, 15, 29, 30], limit: "2/1m", refused: 2 },
  { title: "the burst is the bucket", seconds: [0, 0, 0, 0, 0, 30, 30], limit: "2/1m:4", refused: 2 },
  { title: "a bare number is a period in seconds", seconds: [0, 0, 29], limit: "2/60", refused: 1 },
  { title: "a bare unit is one of it", seconds: [0, 0, 29], limit: "2/m", refused: 1 },
  { title: "all of several limits must admit", seconds: [0, 0, 1, 1, 2, 2], limit: "2/1s+3/1h", refused: 3 },
  { title: "0 refuses everything", seconds: [0, 1, 2], limit: "0/1m", refused: 3 },
])("$limit: $title", async ({ seconds, limit, refused }) => {
  const { policies } = await replayed(at("192.0.2.1", ...seconds), { limit: [limit] });
  expect(policies).toMatchObject([{ policy: limit, refused }]);
});

test("each client has its own bucket, and the report says who was refused and when", async () => {
  const requests = [
    ...at("192.0.2.1", 0, 0, 0, 0),
    ...at("192.0.2.2", 10, 10, 10),
    ...at("192.0.2.3", 20),
    ...at("192.0.2.1", 61, 61, 61),
    ...at("192.0.2.3", 62),
  ];
  const report = await replayed(requests, { limit: ["2/1m"] });
  expect(report).toMatchObject({ requests: 12, clients: 3, from: iso(0), to: iso(62) });
  expect(report.policies).toEqual([
    {
      policy: "2/1m",
      limits: [{ rate: 2, periodSeconds: 60, burst: 2 }],
      blockSeconds: 0,
      refused: 4,
      refusedClients: 2,
      worstMinute: { start: iso(0), requests: 8, refused: 3, clients: 2 },
      topKeys: [
        { key: "192.0.2.1", requests: 7, refused: 3, firstRefused: iso(0), lastRefused: iso(61) },
        { key: "192.0.2.2", requests: 3, refused: 1, firstRefused: iso(10), lastRefused: iso(10) },
      ],
      refusedOverTime: [3, 1],
    },
  ]);
  expect(report.timeline).toEqual({ stepSeconds: 60, starts: [iso(0), iso(60)], requests: [8, 4] });
});

test("--limit several times makes one policy, and --compare others in the same pass", async () => {
  const requests = at("192.0.2.1", 0, 0, 1, 1, 2, 2);
  const { policies } = await replayed(requests, { limit: ["2/1s", "3/1h"], compare: ["2/1s", "5/1h", "6/1h"] });
  expect(policies.map(({ policy, refused }) => [policy, refused])).toEqual([
    ["2/1s+3/1h", 3],
    ["2/1s", 0],
    ["5/1h", 1],
    ["6/1h", 0],
  ]);
});

test("--burst is the burst of --limit", async () => {
  const { policies } = await replayed(at("192.0.2.1", 0, 0, 0, 0), { limit: ["2/1m"], burst: "3" });
  expect(policies).toMatchObject([{ policy: "2/1m:3", refused: 1, limits: [{ burst: 3 }] }]);
});

test.for(["10m", "600", "600.0"])("--block %s keeps a refused client out", async (block) => {
  const { policies } = await replayed(at("192.0.2.1", 0, 0, 40, 599, 600), { limit: ["1/30s"], block });
  expect(policies).toMatchObject([{ blockSeconds: 600, refused: 3 }]);
});

test.for([
  { limit: "20/1m", rate: 20, periodMs: 60_000, burst: 20 },
  { limit: "7/1m:30", rate: 7, periodMs: 60_000, burst: 30 },
  { limit: "300/1h", rate: 300, periodMs: 3_600_000, burst: 300 },
])("$limit: refuses exactly the requests of generated traffic that an oracle refuses", async ({ limit, ...rule }) => {
  const requests = [...traffic({ requests: 30_000, clients: 2000, seed: 20 })];
  const decided = oracle(requests, rule).filter(({ refused }) => refused);
  const report = await replayed(requests, { limit: [limit], top: 10_000 });
  const perClient = tallied(decided.map(({ request }) => request.ip));
  const perMinute = tallied(decided.map(({ request }) => Math.floor(request.time / 60_000)));
  const [policy] = report.policies;
  expect(decided.length).toBeGreaterThan(100);
  expect(policy).toMatchObject({ refused: decided.length, refusedClients: perClient.size });
  expect(report.clients).toBe(new Set(requests.map(({ ip }) => ip)).size);
  expect(new Map(policy?.topKeys.map(({ key, refused }) => [key, refused]))).toEqual(perClient);
  expect(policy?.worstMinute?.refused).toBe(Math.max(...perMinute.values()));
  expect(policy?.refusedOverTime.reduce((sum, one) => sum + one, 0)).toBe(decided.length);
  expect(report.timeline.requests.reduce((sum, one) => sum + one, 0)).toBe(requests.length);
});

test("the report for a terminal", async () => {
  const path = file("access.log", lines([...at("192.0.2.1", 0, 0, 0, 0), ...at("192.0.2.2", 90), ...at("192.0.2.1", 200, 200, 200)]));
  const { stdout, stderr, code } = await cli(["replay", path, "--limit", "2/1m", "--compare", "100/1m:150"]);
  expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
  expect(stdout).toMatchInlineSnapshot(`
    "8 requests from 2 clients, 2026-11-24 12:00:00 to 2026-11-24 12:03:20 UTC
    requests    █▃ ▇

    policy      refused  of requests  clients  of clients  worst minute
    2/1m              3        37.5%        1       50.0%             2
    100/1m:150        0           0%        0          0%             -

    2/1m  2 requests per minute
    3 requests (37.5%) from 1 client (50.0%) would have been refused.
    Worst minute: 2026-11-24 12:00:00 UTC, 2 of 4 requests refused, from 1 client.
    refused     █  ▅

    most refused  refused  of its requests        first refused         last refused
    192.0.2.1           3            42.9%  2026-11-24 12:00:00  2026-11-24 12:03:20

    100/1m:150  100 requests per minute with a burst of 150
    No request would have been refused.
    "
  `);
});

test("the report as JSON", async () => {
  const path = file("access.log", `${lines([...at("192.0.2.1", 0, 0, 0), ...at("192.0.2.2", 90)])}nonsense\n`);
  const report = await json<Report>(["replay", path, "--limit", "2/1m"]);
  expect(JSON.parse(JSON.stringify(report).replaceAll(path, "access.log"))).toMatchInlineSnapshot(`
    {
      "clients": 2,
      "evictions": 0,
      "files": [
        "access.log",
      ],
      "formats": [
        "combined",
      ],
      "from": "2026-11-24T12:00:00.000Z",
      "key": "ip",
      "lines": {
        "bad": 1,
        "badSamples": [
          {
            "file": "access.log",
            "line": 5,
            "text": "nonsense",
          },
        ],
        "keyless": 0,
        "late": 0,
        "mostLateSeconds": 0,
        "read": 5,
      },
      "policies": [
        {
          "blockSeconds": 0,
          "limits": [
            {
              "burst": 2,
              "periodSeconds": 60,
              "rate": 2,
            },
          ],
          "policy": "2/1m",
          "refused": 1,
          "refusedClients": 1,
          "refusedOverTime": [
            1,
            0,
          ],
          "topKeys": [
            {
              "firstRefused": "2026-11-24T12:00:00.000Z",
              "key": "192.0.2.1",
              "lastRefused": "2026-11-24T12:00:00.000Z",
              "refused": 1,
              "requests": 3,
            },
          ],
          "worstMinute": {
            "clients": 1,
            "refused": 1,
            "requests": 3,
            "start": "2026-11-24T12:00:00.000Z",
          },
        },
      ],
      "requests": 4,
      "timeline": {
        "requests": [
          3,
          1,
        ],
        "starts": [
          "2026-11-24T12:00:00.000Z",
          "2026-11-24T12:01:00.000Z",
        ],
        "stepSeconds": 60,
      },
      "to": "2026-11-24T12:01:30.000Z",
    }
  `);
});

test("a log without requests is no error", async () => {
  const { stdout, code } = await cli(["replay", file("access.log", "\n\n"), "--limit", "2/1m"]);
  expect({ code, stdout }).toEqual({ code: 0, stdout: "The log holds no requests.\n\n2/1m  2 requests per minute\n" });
});
