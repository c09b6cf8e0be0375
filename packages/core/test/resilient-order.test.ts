import { definePolicy, resilient, type Scope, type Take } from "@ratelimit/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ManualTime } from "./support/manual-time.ts";
import { seed } from "./support/property.ts";

const scope: Scope = { prefix: "test:", policy: definePolicy({ rate: 10, period: "1h" }) };

/** A backend that carries out each call at a moment of its own, and answers later; takes keep their order, as each backend must see to. */
class Slow {
  readonly done: string[] = [];
  readonly #time: ManualTime;
  readonly #delayOf: () => number;
  #takes: Promise<unknown> = Promise.resolve();

  constructor(time: ManualTime, delayOf: () => number) {
    this.#time = time;
    this.#delayOf = delayOf;
  }

  take(_: Scope, key: string, cost: number): Promise<Take> {
    const taken = Promise.all([this.#takes, this.#time.after(this.#delayOf(), undefined)]);
    this.#takes = taken;
    return this.#carryOut(taken, `${key} take ${cost}`);
  }

  adjust(_: Scope, key: string, tokens: number): Promise<Take> {
    return this.#carryOut(this.#time.after(this.#delayOf(), undefined), `${key} adjust ${tokens}`);
  }

  async reset(_: Scope, key: string): Promise<void> {
    await this.#carryOut(this.#time.after(this.#delayOf(), undefined), `${key} reset`);
  }

  close(): void {}

  async #carryOut(when: Promise<unknown>, what: string): Promise<Take> {
    await when;
    this.done.push(what);
    return { allowed: true, used: 0 };
  }
}

const methods = ["take", "adjust", "reset"] as const;

test("calls on one key take effect in the order in which they were made, however long the backend takes for each", async () => {
  const calls = fc.array(
    fc.record({ key: fc.constantFrom("a", "b"), method: fc.constantFrom(...methods), pause: fc.constantFrom(0, 0, 0, 3), ms: fc.nat(20) }),
    { minLength: 1, maxLength: 60 },
  );
  await fc.assert(
    fc.asyncProperty(calls, async (made) => {
      const time = new ManualTime();
      let next = 0;
      const slow = new Slow(time, () => made[next++ % made.length]?.ms ?? 0);
      const backend = resilient(slow, { timeout: "1h", onOutage: () => {} }, { time });
      const expected: Record<string, string[]> = { a: [], b: [] };
      const answers: Promise<unknown>[] = [];
      for (const [i, { key, method, pause }] of made.entries()) {
        expected[key]?.push(method === "reset" ? `${key} reset` : `${key} ${method} ${i + 1}`);
        answers.push(Promise.resolve(backend[method](scope, key, i + 1)));
        if (pause > 0) await time.pass(pause);
      }
      await time.pass(5000);
      await Promise.all(answers);
      for (const key of ["a", "b"]) expect(slow.done.filter((call) => call.startsWith(key))).toEqual(expected[key]);
    }),
    { seed, numRuns: 300 },
  );
});

describe("a backend that stops answering", () => {
  test("holds a call that waits for its turn no longer than its own deadline, and is not asked for it any more", async () => {
    const time = new ManualTime();
    const slow = new Slow(time, () => 10_000);
    const backend = resilient(slow, { timeout: "100ms", onOutage: () => {} }, { time });
    const decidedAt: number[] = [];
    const answers = [backend.take(scope, "key", 5), backend.adjust(scope, "key", -2), backend.take(scope, "key", 8)].map(async (answer) => {
      const take = await answer;
      decidedAt.push(time.now());
      return take;
    });
    await time.pass(1000);
    // Decided in this process, in the same order: 5 taken, 2 of them given back, so that 8 do not fit.
    expect((await Promise.all(answers)).map(({ allowed, source }) => [allowed, source])).toEqual([
      [true, "local"],
      [true, "local"],
      [false, "local"],
    ]);
    expect(decidedAt).toEqual([100, 100, 100]);
    await time.pass(60_000);
    expect(slow.done).toEqual(["key take 5"]);
  });

  test("does not get what waited for its turn once it is known to be out", async () => {
    const time = new ManualTime();
    let asked = 0;
    const refusing = {
      take: async (): Promise<never> => {
        asked++;
        await time.after(5, undefined);
        throw new Error("connect ECONNREFUSED");
      },
      adjust: async (): Promise<never> => {
        asked++;
        throw new Error("connect ECONNREFUSED");
      },
      reset: () => {},
      close: () => {},
    };
    const backend = resilient(refusing, { onOutage: () => {} }, { time });
    const answers = Promise.all([backend.take(scope, "key", 1), backend.adjust(scope, "key", 1), backend.take(scope, "key", 1)]);
    await time.pass(20);
    expect((await answers).map(({ source }) => source)).toEqual(["local", "local", "local"]);
    expect(asked).toBe(1);
  });
});

describe("many calls in one turn", () => {
  test("are started in pieces, a turn each, in their order", async () => {
    const time = new ManualTime();
    const slow = new Slow(time, () => 0);
    const startedAt: number[] = [];
    const take = slow.take.bind(slow);
    slow.take = (...call) => {
      startedAt.push(time.now());
      return take(...call);
    };
    time.nextTurn = (callback) => void time.later(callback, 10);
    const backend = resilient(slow, { timeout: "100ms", onOutage: () => {} }, { time });
    const answers = Promise.all(Array.from({ length: 10_000 }, async (_, i) => backend.take(scope, `key ${i}`, 1)));
    await time.pass(1000);
    // The last one starts long after its deadline would have been, had it counted from the call.
    expect((await answers).every(({ source }) => source === undefined)).toBe(true);
    expect(slow.done).toEqual(Array.from({ length: 10_000 }, (_, i) => `key ${i} take 1`));
    expect(startedAt.at(-1)).toBeGreaterThan(150);
    const pieces = new Map<number, number>();
    for (const at of startedAt) pieces.set(at, (pieces.get(at) ?? 0) + 1);
    expect(Math.max(...pieces.values())).toBeLessThanOrEqual(512);
  });

  test("keep their order with what comes after them", async () => {
    const time = new ManualTime();
    const slow = new Slow(time, () => 1);
    const backend = resilient(slow, { onOutage: () => {} }, { time });
    const takes = Array.from({ length: 1000 }, async (_, i) => backend.take(scope, "key", i + 1));
    const reset = backend.reset(scope, "key");
    await time.pass(1);
    const last = backend.take(scope, "key", 7);
    await time.pass(1000);
    await Promise.all([...takes, reset, last]);
    expect(slow.done.slice(-3)).toEqual(["key take 1000", "key reset", "key take 7"]);
  });
});
