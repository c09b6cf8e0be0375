import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { KeyOrder, type Turn } from "../src/key-order.ts";
import { seed } from "./support/property.ts";

/** A bench of calls that the test lets start and leave by hand. */
function bench(): { order: KeyOrder; started: string[]; call: (name: string, alone: boolean, key?: string) => Turn } {
  const order = new KeyOrder();
  const started: string[] = [];
  return {
    order,
    started,
    call(name, alone, key = "key") {
      const turn = order.turn(key, alone, () => started.push(name));
      order.enter(turn);
      return turn;
    },
  };
}

describe("calls on one key", () => {
  test("that only take go beside each other", () => {
    const { started, call } = bench();
    for (const name of ["a", "b", "c"]) call(name, false);
    expect(started).toEqual(["a", "b", "c"]);
  });

  test("that change it otherwise wait for those before them, and hold those after them", async () => {
    const { order, started, call } = bench();
    const [a, b] = [call("take a", false), call("take b", false)];
    const refund = call("refund", true);
    const [reset, last] = [call("reset", true), call("take c", false)];
    call("take d", false);
    expect(started).toEqual(["take a", "take b"]);
    for (const [turn, now] of [
      [a, []],
      [b, ["refund"]],
      [refund, ["reset"]],
      [reset, ["take c", "take d"]],
    ] as const) {
      started.length = 0;
      order.leave(turn);
      await Promise.resolve();
      expect(started).toEqual(now);
    }
    order.leave(last);
  });

  test("do not start once they were given up, and hold nobody then", async () => {
    const { order, started, call } = bench();
    const first = call("take", false);
    const [refund, reset] = [call("refund", true), call("reset", true)];
    call("last", false);
    order.leave(refund);
    order.leave(reset);
    order.leave(first);
    await Promise.resolve();
    expect(started).toEqual(["take", "last"]);
  });

  test("that are given up at one moment start none of each other", async () => {
    const { order, started, call } = bench();
    const turns = [call("take", false), call("refund", true), call("reset", true)];
    for (const turn of turns) order.leave(turn);
    await Promise.resolve();
    expect(started).toEqual(["take"]);
    expect(order.isFree("key")).toBe(true);
  });
});

test("calls on other keys do not wait", () => {
  const { order, started, call } = bench();
  call("refund", true, "a");
  call("reset", true, "b");
  call("take", false, "c");
  expect(started).toEqual(["refund", "reset", "take"]);
  expect(["a", "b", "c"].map((key) => order.isFree(key))).toEqual([false, false, true]);
});

test("whatever is answered when: none starts before what it has to wait for has left, and all start in their order", async () => {
  const calls = fc.array(fc.record({ key: fc.constantFrom("a", "b"), alone: fc.boolean(), leaves: fc.nat(1000), givesUp: fc.nat(9) }), {
    minLength: 1,
    maxLength: 40,
  });
  await fc.assert(
    fc.asyncProperty(calls, async (made) => {
      const order = new KeyOrder();
      const left = new Set<number>();
      const startedOf: Record<string, number[]> = { a: [], b: [] };
      const turns = made.map(({ key, alone }, i) =>
        order.turn(key, alone, () => {
          startedOf[key]?.push(i);
          for (const [before, other] of made.slice(0, i).entries())
            if (other.key === key && (alone || other.alone)) expect(left.has(before), `${before} before ${i}`).toBe(true);
        }),
      );
      for (const turn of turns) order.enter(turn);
      const entries = [...made.entries()];
      for (let open = entries; open.length > 0; open = entries.filter(([i]) => !left.has(i))) {
        // One that has started is answered, or any is given up.
        const able = open.filter(([i, { givesUp }]) => turns[i]?.state === "started" || givesUp === 0);
        const [i] = able.reduce((a, b) => (b[1].leaves < a[1].leaves ? b : a));
        left.add(i);
        order.leave(turns[i] as Turn);
        await Promise.resolve();
      }
      for (const started of Object.values(startedOf)) expect(started).toEqual([...started].sort((x, y) => x - y));
      expect([order.isFree("a"), order.isFree("b")]).toEqual([true, true]);
    }),
    { seed, numRuns: 500 },
  );
});
