import { setTimeout as sleep } from "node:timers/promises";
import { type Backend, ManualClock, type PolicyOptions, RateLimiter, type WaitOptions } from "@ratelimit/core";
import { describe, expect, test } from "vitest";
import { processClock } from "../src/clock.ts";
import { LateBackend, tableBackend } from "./support/backends.ts";
import { rejected } from "./support/caught.ts";
import { warningsOf } from "./support/warnings.ts";

/** Waits are real, so the limits are short. */
const often: PolicyOptions = { rate: 100, period: 1, burst: 1 };
/** A token in 30 days, which is more than one `setTimeout` can hold. */
const rarely: PolicyOptions = { rate: 1, period: "30d" };

function limiterOf(policy: PolicyOptions): { limiter: RateLimiter; backend: LateBackend } {
  const backend = new LateBackend(tableBackend(processClock));
  return { limiter: new RateLimiter({ ...policy, backend }), backend };
}

/** The order in which promises settle. */
function orderOf(promises: Readonly<Record<string, Promise<unknown>>>): Promise<string[]> {
  const order: string[] = [];
  const note = (name: string) => () => void order.push(name);
  return Promise.all(Object.entries(promises).map(([name, promise]) => promise.then(note(name), note(`${name} rejected`)))).then(
    () => order,
  );
}

describe("a call that waits", () => {
  test("resolves at once where there are tokens", async () => {
    expect(await limiterOf(rarely).limiter.wait("key")).toMatchObject({ allowed: true, remaining: 0, retryAfter: 0 });
  });

  test("resolves when its tokens are there, and not before", async () => {
    const { limiter } = limiterOf({ rate: 100, period: 1, burst: 4 });
    const start = performance.now();
    await limiter.wait("key", { cost: 4 });
    expect(await limiter.wait("key", { cost: 3 })).toMatchObject({ allowed: true, cost: 3 });
    expect(performance.now() - start).toBeGreaterThan(28);
  });

  test("is served in order, even behind one that costs more", async () => {
    const { limiter } = limiterOf({ rate: 200, period: 1, burst: 5 });
    await limiter.check("key", { cost: 5 });
    const waits = { first: 1, second: 5, third: 1, fourth: 2 };
    const order = await orderOf(Object.fromEntries(Object.entries(waits).map(([name, cost]) => [name, limiter.wait("key", { cost })])));
    expect(order).toEqual(["first", "second", "third", "fourth"]);
  });

  test("does not wait for the line of another key", async () => {
    const { limiter } = limiterOf(often);
    await limiter.check("slow");
    expect(await orderOf({ slow: limiter.wait("slow"), quick: limiter.wait("quick") })).toEqual(["quick", "slow"]);
  });

  test("asks the backend once before its time and once when it has come", async () => {
    const { limiter, backend } = limiterOf(often);
    await limiter.check("key");
    await Promise.all([limiter.wait("key"), limiter.wait("key")]);
    expect(backend.asked.length).toBeLessThanOrEqual(1 + 2 * 3);
  });

  test("is served by a ManualClock's next look, in real time", async () => {
    const clock = new ManualClock();
    const limiter = new RateLimiter({ rate: 100, period: 1, burst: 1, backend: tableBackend(clock) });
    await limiter.check("key");
    const wait = limiter.wait("key");
    clock.advance(10);
    expect((await wait).allowed).toBe(true);
  });

  test("refuses what never fits, and what is no option", async () => {
    const { limiter, backend } = limiterOf(often);
    expect(await rejected(limiter.wait("key", { cost: 2 }))).toMatchObject({
      code: "EXCEEDED",
      result: { retryAfter: Number.POSITIVE_INFINITY },
    });
    backend.asked.length = 0;
    for (const options of [
      ...[0, -1, 100, Number.NaN, Number.POSITIVE_INFINITY, "100", "0s", "", null, 10n, true, 2 ** 53, {}].map((maxWait) => ({ maxWait })),
      { signal: {} },
      { signal: null },
      null,
      5,
    ])
      expect((await rejected(limiter.wait("key", options as never))).code).toBe("INVALID_OPTION");
    expect(backend.asked).toEqual([]);
  });

  test("passes on what the backend fails with, and frees the line", async () => {
    const failing: Backend["take"] = () => Promise.reject(new Error("out"));
    const backend = new LateBackend();
    const limiter = new RateLimiter({ ...often, backend });
    Object.assign(backend, { take: failing });
    await expect(limiter.wait("key")).rejects.toThrow("out");
    Reflect.deleteProperty(backend, "take");
    expect((await limiter.wait("key")).allowed).toBe(true);
  });
});

describe("a wait ends early", () => {
  test("at once, where maxWait is known to be too short", async () => {
    const { limiter, backend } = limiterOf(rarely);
    await limiter.check("key");
    const start = performance.now();
    const error = await rejected(limiter.wait("key", { maxWait: "10d" }));
    expect([error.code, error.message]).toEqual(["WAIT_TIMEOUT", expect.stringContaining("within `maxWait` of 864000000 ms")]);
    expect(performance.now() - start).toBeLessThan(1000);
    expect(backend.asked).toEqual(["take 1", "take 1"]);
  });

  test("after maxWait in a line that does not move", async () => {
    const { limiter } = limiterOf(rarely);
    await limiter.check("key");
    const head = limiter.wait("key");
    const start = performance.now();
    expect((await rejected(limiter.wait("key", { maxWait: "30ms" }))).code).toBe("WAIT_TIMEOUT");
    expect(performance.now() - start).toBeGreaterThan(28);
    await limiter.close();
    expect((await rejected(head)).code).toBe("INVALID_OPTION");
  });

  test("by its signal: before it begins, in the line and at its head", async () => {
    const { limiter, backend } = limiterOf(rarely);
    await limiter.check("key");
    const [at, head, tail] = [AbortSignal.abort(new Error("before")), new AbortController(), new AbortController()];
    const begun = backend.asked.length;
    await expect(limiter.wait("key", { signal: at })).rejects.toThrow("before");
    expect(backend.asked.length).toBe(begun);
    const waits = [limiter.wait("key", { signal: head.signal }), limiter.wait("key", { signal: tail.signal })];
    await sleep(5);
    tail.abort(new Error("in the line"));
    await expect(waits[1]).rejects.toThrow("in the line");
    head.abort();
    await expect(waits[0]).rejects.toMatchObject({ name: "AbortError" });
  });

  test("and those behind it move up", async () => {
    const { limiter } = limiterOf({ rate: 100, period: 1, burst: 60 });
    await limiter.check("key", { cost: 60 });
    const leaves = new AbortController();
    const order = orderOf({
      head: limiter.wait("key", { cost: 60, signal: leaves.signal }),
      middle: limiter.wait("key", { cost: 1, maxWait: "1ms" }),
      tail: limiter.wait("key", { cost: 1 }),
    });
    await sleep(5);
    leaves.abort();
    expect(await order).toEqual(["middle rejected", "head rejected", "tail"]);
  });

  test("by close(), which ends all of the limiter's own waits", async () => {
    const { limiter, backend } = limiterOf(rarely);
    const other = new RateLimiter({ ...rarely, backend });
    await limiter.check("key");
    const waits = [limiter.wait("key"), limiter.wait("key", { maxWait: "40d" }), limiter.wait("other key", { cost: 0 })];
    const elsewhere = other.wait("key", { maxWait: "40d" });
    await sleep(5);
    await limiter.close();
    expect(await Promise.all(waits.slice(0, 2).map(async (wait) => (await rejected(wait)).message))).toEqual(
      Array.from({ length: 2 }, () => expect.stringContaining("This limiter is closed") as string),
    );
    expect(await Promise.race([elsewhere, sleep(5, "still waiting")])).toBe("still waiting");
    await other.close();
    expect((await rejected(elsewhere)).code).toBe("INVALID_OPTION");
  });
});

test("a wait of more than 2^31 ms is one wait, not a loop", async () => {
  const { limiter, backend } = limiterOf(rarely);
  await limiter.check("key");
  const options: WaitOptions = { maxWait: "60d" };
  const warnings = await warningsOf(async () => {
    const waits = [limiter.wait("key"), limiter.wait("key", options)];
    await sleep(60);
    await limiter.close();
    await Promise.allSettled(waits);
  });
  expect(backend.asked).toEqual(["take 1", "take 1"]);
  expect(warnings).toEqual([]);
});

test("many waits may share one signal, and no listener is left on it", async () => {
  const { limiter } = limiterOf(rarely);
  await limiter.check("key");
  const { signal, abort } = new (class extends AbortController {
    override abort = (): void => super.abort();
  })();
  const warnings = await warningsOf(async () => {
    const waits = Array.from({ length: 30 }, () => limiter.wait("key", { signal }));
    await sleep(5);
    abort();
    expect((await Promise.allSettled(waits)).every(({ status }) => status === "rejected")).toBe(true);
  });
  expect(warnings).toEqual([]);
});
