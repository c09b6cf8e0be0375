import { definePolicy } from "@ratelimit/core/backend";
import { describe, expect, test, vi } from "vitest";
import { remainingAt, retryMsAt } from "../../page/bucket.ts";
import { Buckets, type Holder } from "../../page/buckets.ts";
import { readRule } from "../../page/form.ts";
import { outagesIn } from "../../page/marks.ts";
import { add, begin, describe as describeOutage, isTurn, type Since } from "../../page/outage.ts";
import { Repeat } from "../../page/repeat.ts";
import * as words from "../../page/words.ts";
import type { Decision } from "../../src/play/decision.ts";

const form = { rate: "10", period: "10s", burst: "", cost: "1", block: "" };
const [limit] = definePolicy({ rate: 10, period: "10s" }).limits;
const asked = { limit, cost: 1 };

/** A decision after which `left` tokens are left. */
function decision(left: number, more: Partial<Decision> = {}): Decision {
  const used = (10 - left) * limit.unitsPerToken;
  return { allowed: true, source: "backend", remaining: left, retryMs: 0, used, tookMs: 1, at: 0, pid: 1, ...more };
}

describe("buckets", () => {
  const first: Holder = { client: "ada", pid: 1, shared: true };
  const second: Holder = { client: "ada", pid: 2, shared: true };
  const left = (buckets: Buckets, holder: Holder): number => remainingAt(buckets.levelOf(holder, limit, 0), 0);

  test("processes see one bucket if they share the backend, and each its own in memory", () => {
    for (const [shared, seen] of [
      [true, 3],
      [false, 10],
    ] as const) {
      const buckets = new Buckets(2);
      buckets.note({ ...first, shared }, asked, decision(3), 0);
      expect(left(buckets, { ...first, shared })).toBe(3);
      expect(left(buckets, { ...second, shared })).toBe(seen);
    }
  });

  test("clients have buckets of their own", () => {
    const buckets = new Buckets(2);
    buckets.note(first, asked, decision(3), 0);
    expect(left(buckets, { ...first, client: "bob" })).toBe(10);
  });

  test("an answer that was overtaken changes nothing", () => {
    const buckets = new Buckets(2);
    buckets.note(first, asked, decision(3, { at: 20 }), 0);
    buckets.note(second, asked, decision(4, { at: 10 }), 0);
    expect(left(buckets, first)).toBe(3);
  });

  test("while Redis is out, a process sees its own share; afterwards all see one bucket again", () => {
    const buckets = new Buckets(2);
    buckets.note(first, asked, decision(6, { at: 1 }), 0);
    buckets.note(first, asked, decision(4, { at: 2, source: "local" }), 0);
    expect([left(buckets, first), left(buckets, second)]).toEqual([2, 6]);
    buckets.note(first, asked, decision(9, { at: 3 }), 0);
    expect([left(buckets, first), left(buckets, second)]).toEqual([9, 9]);
  });

  test("a refusal that lasts longer than the bucket needs is a block, which the next admission ends", () => {
    const buckets = new Buckets(2);
    buckets.note(first, asked, decision(0, { allowed: false, retryMs: 1000 }), 100);
    expect(buckets.levelOf(first, limit, 100).blockedUntil).toBe(100);
    buckets.note(first, asked, decision(0, { allowed: false, retryMs: 60_000, at: 1 }), 200);
    expect(retryMsAt(buckets.levelOf(first, limit, 200), 1, 30_000)).toBe(30_200);
    buckets.note(first, asked, decision(9, { at: 2 }), 300);
    expect(retryMsAt(buckets.levelOf(first, limit, 300), 1, 300)).toBe(0);
  });
});

describe("the form", () => {
  test("is read as the options of a server are", () => {
    const rule = readRule({ ...form, burst: "15", cost: "2", block: "1m" });
    expect(rule.limit).toMatchObject({ rate: 10, periodMs: 10_000, burst: 15 });
    expect(rule.query).toEqual({ rate: "10", period: "10s", burst: "15", cost: "2", block: "1m" });
    expect(rule.code).toBe('rateLimit({ rate: 10, period: "10s", burst: 15, block: "1m", cost: 2 })');
  });

  test("takes a bare number for seconds, and no burst for the rate", () => {
    expect(readRule({ ...form, period: "20000" })).toMatchObject({
      limit: { periodMs: 20_000_000, burst: 10 },
      query: { period: "20000s" },
    });
  });

  test.for([
    [{ rate: "0.5" }, "Expected `rate` to be a positive integer"],
    [{ rate: "" }, "Expected `rate` to be a positive integer"],
    [{ period: "10 parsecs" }, "Expected `period` to be seconds"],
    [{ burst: "-1" }, "Expected `burst` to be a positive integer"],
    [{ block: "soon" }, "Expected `block` to be seconds"],
    [{ cost: "" }, "Expected `cost` to be a positive integer, got nothing"],
    [{ cost: "0" }, "Expected `cost` to be a positive integer, got 0"],
  ] as const)("%j is reported", ([fields, message]) => {
    expect(() => readRule({ ...form, ...fields })).toThrow(message);
  });
});

describe("an outage in words", () => {
  test("names the slowest decision and how many were made without Redis, from the moment of the click", () => {
    let since = begin("freeze", 1000);
    expect(describeOutage(since)).toBe("Redis froze. No request has been answered since.");
    // It met the fault while the button was still at work.
    since = add(since, decision(1, { tookMs: 104.2, source: "local" }), 1105);
    expect(describeOutage(since)).toBe("Redis froze. Of 1 decision since, the processes made 1 without Redis. The slowest took 105 ms.");
    since = add({ ...since, doneAt: 1110 }, decision(1, { tookMs: 0.4, source: "deny-cache" }), 1201);
    expect(describeOutage(since)).toBe("Redis froze. Of 2 decisions since, the processes made 1 without Redis. The slowest took 105 ms.");
  });

  test("says when Redis decided again", () => {
    let since = begin("restart", 1000);
    // The server from before the restart.
    since = add(since, decision(1), 1002);
    expect(since.backMs).toBeUndefined();
    since = add({ ...since, doneAt: 1200 }, decision(1, { source: "local" }), 1211);
    since = add(since, decision(1), 1290);
    since = add(since, decision(1), 1410);
    expect(describeOutage(since)).toContain("It decided again after 90 ms. Of 4 decisions");
  });
});

test("only the turns of an outage are read aloud: the first local decision, and the first of Redis again", () => {
  let since: Since = { ...begin("restart", 0), doneAt: 0 };
  const turns = ["backend", "backend", "local", "local", "backend"].map((source, i) => {
    const before = since;
    since = add(before, decision(1, { source: source as Decision["source"] }), i + 1);
    return isTurn(before, since);
  });
  expect(turns).toEqual([true, false, true, false, false]);
});

test("the timeline marks an outage from the request that met it to the last decision without Redis", () => {
  const marks = (...seen: (readonly [at: number, source: Decision["source"]])[]) =>
    seen.map(([at, source]) => ({ at, source, tookMs: 100, allowed: true }));
  expect(outagesIn(marks([100, "backend"], [200, "deny-cache"]))).toEqual([]);
  expect(outagesIn(marks([100, "backend"], [300, "local"], [400, "deny-cache"], [500, "local"], [600, "backend"]))).toEqual([
    { from: 200, to: 500 },
  ]);
  // Redis decided in between, or nobody asked for too long to know.
  for (const between of [[[1000, "backend"]], []] as const)
    expect(outagesIn(marks([300, "local"], ...between, [between.length > 0 ? 1300 : 2301, "local"]))).toHaveLength(2);
});

test("a steady stream begins at once, keeps its rate, and stops", () => {
  vi.useFakeTimers();
  try {
    let sent = 0;
    const repeat = new Repeat(() => sent++);
    repeat.start(4);
    expect(sent).toBe(1);
    vi.advanceTimersByTime(2000);
    expect([sent, repeat.isRunning]).toEqual([9, true]);
    repeat.stop();
    vi.advanceTimersByTime(2000);
    expect([sent, repeat.isRunning]).toEqual([9, false]);
  } finally {
    vi.useRealTimers();
  }
});

test.for([
  [0, "0.0 s"],
  [1, "0.1 s"],
  [2400, "2.4 s"],
  [59_901, "1 min 0 s"],
  [200_000, "3 min 20 s"],
  [3_660_000, "1 h 1 min"],
  [Number.POSITIVE_INFINITY, "never"],
] as const)("a wait of %d ms reads %s", ([wait, text]) => {
  expect(words.wait(wait)).toBe(text);
});

test("a token shows only when it is there", () => {
  expect([words.tokens(0.999), words.tokens(1), words.tokens(7.46)]).toEqual(["0.9", "1.0", "7.4"]);
});
