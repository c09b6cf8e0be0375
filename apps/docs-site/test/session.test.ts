import { expect, test } from "vitest";
import { messageOf, Session } from "../playground/session.ts";

function failure(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return messageOf(error);
  }
  throw new Error("Expected an error");
}

test("a full bucket admits its burst, then refuses and says how long to wait", () => {
  const session = new Session({ rate: 1, period: "1h", burst: 3 });
  expect(session.tokens).toBe(3);
  expect(session.waitFor(1)).toBe(0);
  const answers = Array.from({ length: 4 }, () => session.send(1));
  expect(answers.map(({ result }) => result.allowed)).toEqual([true, true, true, false]);
  expect(answers.map(({ id }) => id)).toEqual([1, 2, 3, 4]);
  const { result, headers } = answers[3] as (typeof answers)[number];
  expect(headers).toMatchObject({ "X-RateLimit-Limit": "1", "Retry-After": String(Math.ceil(result.retryAfter)) });
  expect(session.tokens).toBeLessThan(0.01);
  expect(session.waitFor(1)).toBeGreaterThan(3590);
  expect(session.waitFor(1)).toBeLessThanOrEqual(result.retryAfter);
  session.close();
});

test("looking at the bucket takes nothing", () => {
  const session = new Session({ rate: 1, period: "3600", burst: 2 });
  for (let i = 0; i < 100; i++) session.waitFor(2);
  expect(session.tokens).toBe(2);
  session.close();
});

test("a cost above the burst can never be admitted", () => {
  const session = new Session({ rate: 1, period: "1s", burst: 2 });
  expect(session.waitFor(3)).toBe(Number.POSITIVE_INFINITY);
  expect(session.send(3).result.retryAfter).toBe(Number.POSITIVE_INFINITY);
  session.close();
});

test("mistakes are explained in core's own words", () => {
  expect(failure(() => new Session({ rate: 1, period: "soon", burst: 2 }))).toContain("`period`");
  expect(failure(() => new Session({ rate: 1.5, period: "1s", burst: 2 }))).toContain("`rate`");
  const session = new Session({ rate: 1, period: "1s", burst: 2 });
  expect(failure(() => session.send(0.5))).toContain("`cost`");
  session.close();
});
