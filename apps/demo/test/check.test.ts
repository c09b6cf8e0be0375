import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { check } from "../src/check.ts";
import { observe } from "../src/observe.ts";
import { type Step, script, sharedScript } from "../src/script.ts";
import { program } from "./support/program.ts";
import { freshPrefix, serversEnv } from "./support/redis.ts";

test("demo --check tests all nine combinations, then the frameworks on one Redis in turn, and exits with 0", {
  timeout: 120_000,
}, async () => {
  await using demo = await program("src/main.ts");
  // The user's own limits must not affect the check.
  const own = { RATELIMIT_RATE: "3", RATELIMIT_INCLUDE_HEADERS: "false", RATELIMIT_KEY_PREFIX: freshPrefix() };
  const { ended, output } = demo.start(["--check"], { ...serversEnv(), ...own });
  expect({ status: await ended, output }).toMatchObject({ status: 0, output: { stderr: "" } });

  const lines = output.stdout.trim().split("\n");
  const asked = lines.filter((line) => line.endsWith(" ok"));
  const names = [...new Set(asked.map((line) => line.split("  ")[0]))];
  expect(names).toEqual(
    ["memory", "Redis", "Redis Cluster"].flatMap((backend) => [
      ...["Express", "Fastify", "Koa"].map((framework) => `${backend}, ${framework}`),
      ...(backend === "memory" ? [] : [`${backend}, all in turn`]),
    ]),
  );
  const steps = 9 * script.length + 2 * sharedScript.length;
  expect(lines.at(-1)).toBe(`${steps} of ${steps} as expected`);
  expect(asked).toHaveLength(steps);
});

test("without Redis, the check tests the combinations that can run and names those that cannot", async () => {
  const lines: string[] = [];
  const scripts = { each: script.slice(0, 2), together: sharedScript };
  expect(await check({ servers: {}, keyPrefix: freshPrefix(), print: (line) => lines.push(line), scripts })).toBe(true);
  expect(lines.slice(-3)).toEqual([
    "Redis: not checked, RATELIMIT_REDIS_URL is not set",
    "Redis Cluster: not checked, REDIS_CLUSTER is not set",
    "6 of 6 as expected",
  ]);
});

test("a wrong figure is reported, and the check exits with 1", async () => {
  await using wrong = await program("test/programs/wrong-check.ts");
  const { ended, output } = wrong.start([]);
  expect(await ended).toBe(1);
  expect(output.stdout).toMatch(/memory, Koa {6}\/api\/public .* WRONG admitted: expected 11, got 10/);
  expect(output.stdout).toContain("0 of 3 as expected");
});

const step: Step = { path: "/", client: "the address", sends: 4, buckets: [{ limit: 3, tokens: 3, everyMs: 3_600_000 }] };
const isLimited: Step = { ...step, fields: { "x-extra": "yes" } };

/** The answer of a correct server to the n-th request. */
function right(n: number): { status: number; fields: Record<string, string> } {
  const fields = {
    "x-ratelimit-limit": "3",
    "x-ratelimit-remaining": String(Math.max(0, 3 - n)),
    "x-ratelimit-reset": unixIn(3600 * Math.min(3, n)),
  };
  return n <= 3
    ? { status: 200, fields }
    : { status: 429, fields: { ...fields, "retry-after": "3600", "content-type": "application/problem+json" } };
}

type Answer = typeof right;

/** Servers that are each wrong in one way. */
const broken: readonly (readonly [way: string, answer: Answer, problem: RegExp])[] = [
  ["admits one too many", (n) => right(n - 1 || 1), /^admitted: expected 3, got 4/],
  ["admits one too few", (n) => right(n + 1), /^admitted: expected 3, got 2/],
  ["fails", (n) => ({ ...right(n), status: n === 2 ? 500 : right(n).status }), /^expected 200 or 429, got 500/],
  ["sends another limit", (n) => change(n, "x-ratelimit-limit", "4"), /^X-RateLimit-Limit: expected 3, got 4/],
  ["sends no limit", (n) => change(n, "x-ratelimit-limit", ""), /^X-RateLimit-Limit: expected 3, got NaN/],
  [
    "reports one token too many as remaining",
    (n) => (n === 1 ? change(n, "x-ratelimit-remaining", "3") : right(n)),
    /^X-RateLimit-Remaining: expected 2, got 3/,
  ],
  [
    "has a token left when it refuses",
    (n) => (n === 4 ? change(n, "x-ratelimit-remaining", "1") : right(n)),
    /^X-RateLimit-Remaining of a refusal: expected 0, got 1/,
  ],
  ["sends the reset as a duration", (n) => change(n, "x-ratelimit-reset", "60"), /^X-RateLimit-Reset: expected -1 to 10801, got -/],
  ["sends the reset in ms", (n) => change(n, "x-ratelimit-reset", `${unixIn(60)}000`), /^X-RateLimit-Reset: expected/],
  ["refuses without a Retry-After", (n) => change(n, "retry-after", ""), /^Retry-After: expected 3600, got NaN/],
  ["asks for too short a wait", (n) => (n === 4 ? change(n, "retry-after", "3590") : right(n)), /^Retry-After: expected 3600, got 3590/],
  ["asks for too long a wait", (n) => (n === 4 ? change(n, "retry-after", "3601") : right(n)), /^Retry-After: expected 3600, got 3601/],
  [
    "admits with a Retry-After",
    (n) => (n === 2 ? change(n, "retry-after", "1") : right(n)),
    /^Retry-After of an admission: expected none, got 1/,
  ],
  [
    "refuses in plain text",
    (n) => (n === 4 ? change(n, "content-type", "text/plain") : right(n)),
    /^Content-Type of a refusal: expected application\/problem\+json, got text\/plain/,
  ],
];

test("a correct server passes", async () => {
  expect(await problemsOf(step, right)).toEqual([]);
});

test.for(broken)("the check catches a server that %s", async ([, answer, problem]) => {
  expect(await problemsOf(step, answer)).toContainEqual(expect.stringMatching(problem));
});

test("the check catches a missing header, and a limit on a path that should have none", async () => {
  expect(await problemsOf(isLimited, right)).toEqual(["x-extra: expected yes, got none"]);
  expect(await problemsOf({ ...step, sends: 2, buckets: [] }, right)).toEqual([
    expect.stringMatching(/^expected no rate limit header, got x-ratelimit-/),
  ]);
});

function change(n: number, name: string, value: string): ReturnType<Answer> {
  const { status, fields } = right(n);
  const { [name]: _, ...others } = fields;
  return { status, fields: value === "" ? others : { ...others, [name]: value } };
}

async function problemsOf(step: Step, answer: Answer): Promise<readonly string[]> {
  let n = 0;
  const server = createServer((_req: IncomingMessage, res: ServerResponse) => {
    const { status, fields } = answer(++n);
    res.writeHead(status, fields).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const [observation] = await observe([`http://127.0.0.1:${(server.address() as AddressInfo).port}`], [step]);
  return observation?.problems ?? [];
}

function unixIn(seconds: number): string {
  return String(Math.ceil(Date.now() / 1000) + seconds);
}
