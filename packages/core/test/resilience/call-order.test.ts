import { definePolicy, resilient } from "@ratelimit/core";
import type { BackendReply, KeyScope, ResilientBackend } from "@ratelimit/core/backend";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ManualTime } from "../support/manual-time.ts";
import { seed } from "../support/property.ts";

const scope: KeyScope = { prefix: "test:", policy: definePolicy({ rate: 1000, period: "1h" }) };

/** Creates a backend that answers after a millisecond, and records what it was asked and when. */
function bench(turnMs: number): { time: ManualTime; backend: ResilientBackend; asked: { readonly what: string; readonly at: number }[] } {
  const time = new ManualTime();
  const asked: { what: string; at: number }[] = [];
  const answer = (what: string): Promise<BackendReply> => {
    asked.push({ what, at: time.now() });
    return time.after(1, { allowed: true, used: 0 });
  };
  time.nextTurn = (callback) => void time.later(callback, turnMs);
  const backend = resilient(
    {
      take: (_, key, cost) => answer(`${key} take ${cost}`),
      adjust: (_, key, tokens) => answer(`${key} adjust ${tokens}`),
      block: async (_, key, ms) => void (await answer(`${key} block ${ms}`)),
      reset: async (_, key) => void (await answer(`${key} reset 0`)),
      close: () => {},
    },
    { timeout: "100ms", onOutage: () => {} },
    { time },
  );
  return { time, backend, asked };
}

describe("ten thousand calls made in one turn of the event loop", () => {
  test("are sent in pieces, one per turn, and their deadlines count from then", async () => {
    const { time, backend, asked } = bench(10);
    const answers = Promise.all(Array.from({ length: 10_000 }, async (_, i) => backend.take(scope, `key ${i}`, 1)));
    await time.pass(1000);
    expect((await answers).every(({ source }) => source === undefined)).toBe(true);
    expect(asked.map(({ what }) => what)).toEqual(Array.from({ length: 10_000 }, (_, i) => `key ${i} take 1`));
    // The last piece is sent long after all calls would have timed out if deadlines counted from the call.
    expect(asked.at(-1)?.at).toBeGreaterThan(150);
    const pieces = new Map<number, number>();
    for (const { at } of asked) pieces.set(at, (pieces.get(at) ?? 0) + 1);
    expect(Math.max(...pieces.values())).toBeLessThanOrEqual(512);
  });

  test("each keep their deadline: a backend that never answers delays no piece longer than that", async () => {
    const { time, backend } = bench(10);
    const never = resilient(
      { take: () => new Promise(() => {}), adjust: () => new Promise(() => {}), block: () => {}, reset: () => {}, close: () => {} },
      { timeout: "100ms", onOutage: () => {} },
      { time },
    );
    let decided = 0;
    for (let i = 0; i < 2000; i++) void Promise.resolve(never.take(scope, `key ${i}`, 1)).then(() => decided++);
    await time.pass(99);
    expect(decided).toBe(0);
    await time.pass(1 + 10 * Math.ceil(2000 / 512));
    expect(decided).toBe(2000);
    await backend.close();
  });
});

test("the backend is asked in call order, whatever is called in a turn", async () => {
  const calls = fc.array(
    fc.record({
      method: fc.constantFrom("take", "adjust", "block", "reset"),
      key: fc.constantFrom("a", "b"),
      times: fc.constantFrom(1, 2, 300),
    }),
    { minLength: 1, maxLength: 12 },
  );
  await fc.assert(
    fc.asyncProperty(calls, async (made) => {
      const { time, backend, asked } = bench(1);
      const expected: string[] = [];
      const answers: Promise<unknown>[] = [];
      for (const { method, key, times } of made)
        for (let i = 0; i < times; i++) {
          const amount = method === "reset" ? 0 : expected.length + 1;
          expected.push(`${key} ${method} ${amount}`);
          answers.push(Promise.resolve(backend[method](scope, key, amount)));
        }
      await time.pass(1000);
      await Promise.all(answers);
      expect(asked.map(({ what }) => what)).toEqual(expected);
    }),
    { seed, numRuns: 50 },
  );
});
