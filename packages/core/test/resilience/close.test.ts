import { definePolicy, resilient } from "@ratelimit/core";
import type { BackendReply, KeyScope } from "@ratelimit/core/backend";
import { describe, expect, test } from "vitest";
import { ManualTime } from "../support/manual-time.ts";

const scope: KeyScope = { prefix: "test:", policy: definePolicy({ rate: 1000, period: "1h" }) };

/** A backend that answers after a given number of milliseconds, and records what it was asked and when it was closed. */
function bench(answerMs: number): { time: ManualTime; backend: ReturnType<typeof resilient>; asked: string[] } {
  const time = new ManualTime();
  const asked: string[] = [];
  const answer = async (what: string): Promise<BackendReply> => {
    asked.push(what);
    return time.after(answerMs, { allowed: true, used: 0 });
  };
  const puppet = {
    take: (_: KeyScope, key: string) => answer(`take ${key}`),
    adjust: (_: KeyScope, key: string) => answer(`adjust ${key}`),
    block: async (_: KeyScope, key: string) => void (await answer(`block ${key}`)),
    reset: async (_: KeyScope, key: string) => void (await answer(`reset ${key}`)),
    close: () => void asked.push("close"),
  };
  return { time, asked, backend: resilient(puppet, { timeout: "1h", onOutage: () => {} }, { time }) };
}

describe("close", () => {
  test("lets the backend decide earlier calls, and then closes it", async () => {
    const { time, backend, asked } = bench(5);
    const answers = Promise.all([
      ...Array.from({ length: 1000 }, (_, i) => backend.take(scope, `key ${i}`, 1)),
      backend.adjust(scope, "key 1", 1),
      backend.reset(scope, "key 1"),
    ]);
    const closed = backend.close();
    await time.pass(100);
    await closed;
    expect((await answers).some((take) => take?.source === "local")).toBe(false);
    expect(asked).toHaveLength(1003);
    expect(asked.at(-1)).toBe("close");
  });

  test("after 900 ms, decides the calls that the backend has not, in call order", async () => {
    const { time, backend, asked } = bench(Number.POSITIVE_INFINITY);
    const answers = Promise.all([backend.take(scope, "key", 600), backend.adjust(scope, "key", -200), backend.take(scope, "key", 700)]);
    const reset = Promise.allSettled([backend.reset(scope, "key")]);
    let closedAt: number | undefined;
    const closing = backend.close().then(() => {
      closedAt = time.now();
    });
    await time.pass(3000);
    await closing;
    expect((await answers).map(({ allowed, source }) => [allowed, source])).toEqual([
      [true, "local"],
      [true, "local"],
      [false, "local"],
    ]);
    expect(await reset).toMatchObject([{ status: "rejected", reason: { code: "BACKEND" } }]);
    expect(closedAt).toBe(900);
    expect(asked).toEqual(["take key", "adjust key", "take key", "reset key", "close"]);
  });

  test("rejects later calls, while earlier ones are still decided", async () => {
    const { time, backend } = bench(50);
    const before = backend.take(scope, "key", 1);
    const closed = backend.close();
    for (const method of ["take", "adjust", "block", "reset"] as const)
      await expect(backend[method](scope, "key", 1)).rejects.toMatchObject({ code: "INVALID_OPTION" });
    await time.pass(100);
    expect((await before).source).toBeUndefined();
    await closed;
  });
});
