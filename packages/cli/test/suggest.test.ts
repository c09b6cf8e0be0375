import { expect, test } from "vitest";
import { Ladder, lowestRung, rates } from "../src/replay/ladder.ts";
import type { Suggestion } from "../src/report/suggestion.ts";
import { cli, json } from "./support/cli.ts";
import { file } from "./support/folder.ts";
import { at, lines, type Request, traffic } from "./support/log.ts";
import { oracle } from "./support/oracle.ts";

/** Ten clients, of which the i-th makes i requests at once. */
const ten: readonly Request[] = Array.from({ length: 10 }, (_, i) => at(`192.0.2.${i + 1}`, ...Array<number>(i + 1).fill(0))).flat();

test.for([
  { refuse: "0", limit: "10/1m" },
  { refuse: "9.9", limit: "10/1m" },
  { refuse: "30%", limit: "7/1m" },
  { refuse: "50", limit: "5/1m" },
  { refuse: "100", limit: "1/1m" },
])("at most $refuse of ten clients with bursts of 1 to 10: $limit", async ({ refuse, limit }) => {
  const suggestion = await json<Suggestion>(["suggest", file("access.log", lines(ten)), "--refuse", refuse]);
  expect(suggestion).toMatchObject({ limit, requests: 55, clients: 10 });
  expect(suggestion.tried.slice(0, 6)).toEqual([
    { limit: "1/1m", refused: 45, refusedClients: 9 },
    { limit: "2/1m", refused: 36, refusedClients: 8 },
    { limit: "3/1m", refused: 28, refusedClients: 7 },
    { limit: "5/1m", refused: 15, refusedClients: 5 },
    { limit: "7/1m", refused: 6, refusedClients: 3 },
    { limit: "10/1m", refused: 0, refusedClients: 0 },
  ]);
});

test("every rate refuses the requests and clients of generated traffic that an oracle refuses", () => {
  const requests = [...traffic({ requests: 8000, clients: 300, seed: 3 })];
  const ladder = new Ladder("1m");
  for (const { time, ip } of requests) ladder.add({ time, key: ip });
  const expected = rates.map((rate) => {
    const refused = oracle(requests, { rate, periodMs: 60_000, burst: rate }).filter((one) => one.refused);
    return { rate, refused: refused.length, refusedClients: new Set(refused.map(({ request }) => request.ip)).size };
  });
  expect(ladder.rungs).toEqual(expected);
  expect(expected.filter(({ refused }) => refused > 0).length).toBeGreaterThan(3);
  ladder.close();
});

test("the period can be chosen", async () => {
  const path = file("access.log", lines(at("192.0.2.1", 0, 0, 1, 1, 2, 2)));
  for (const [period, limit] of [
    ["1s", "2/1s"],
    ["1h", "7/1h"],
  ] as const)
    expect(await json<Suggestion>(["suggest", path, "--refuse", "0", "--period", period])).toMatchObject({ limit });
});

test("no limit is proposed if even the highest refuses more", () => {
  const rungs = rates.map((rate) => ({ rate, refused: 5, refusedClients: 1 }));
  expect(lowestRung(rungs, 10, 10)).toBe(rungs[0]);
  expect(lowestRung(rungs, 10, 9)).toBeUndefined();
});

test("the proposal for a terminal", async () => {
  const { stdout } = await cli(["suggest", file("access.log", lines(ten)), "--refuse", "30"]);
  expect(stdout).toMatchInlineSnapshot(`
    "55 requests from 10 clients.
    --limit 7/1m is the lowest limit that would have refused at most 30% of the clients.

    limit    clients refused  of clients  requests refused  of requests
    1/1m                   9       90.0%                45        81.8%
    2/1m                   8       80.0%                36        65.5%
    3/1m                   7       70.0%                28        50.9%
    5/1m                   5       50.0%                15        27.3%
    7/1m  <                3       30.0%                 6        10.9%
    10/1m                  0          0%                 0           0%
    15/1m                  0          0%                 0           0%
    20/1m                  0          0%                 0           0%
    30/1m                  0          0%                 0           0%
    "
  `);
});

test("a log without requests proposes nothing", async () => {
  const { stdout, code } = await cli(["suggest", file("access.log", "")]);
  expect({ stdout, code }).toEqual({ stdout: "The log holds no requests.\n", code: 0 });
});
