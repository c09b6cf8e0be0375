import { AsyncLocalStorage } from "node:async_hooks";
import { getEventListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { type Backend, ManualClock, type PolicyOptions, RateLimiter, type WaitOptions } from "@ratelimit/core";
import { warningsOf } from "@ratelimit/testbed/warnings";
import { describe, expect, test } from "vitest";
import { processClock } from "../../src/clock.ts";
import { LateBackend, tableBackend } from "../support/backends.ts";
import { rejected } from "../support/caught.ts";

/** The tests wait in real time, so the limits are fast. */
const often: PolicyOptions = { rate: 100, period: 1, burst: 1 };
/** One token in 30 days, which is longer than a single `setTimeout` allows. */
const rarely: PolicyOptions = { rate: 1, period: "30d" };

function limiterOf(policy: PolicyOptions): { limiter: RateLimiter; backend: LateBackend } {
  const backend = new LateBackend(tableBackend(processClock));
  return { limiter: new RateLimiter({ ...policy, backend }), backend };
}

/** Returns the order in which promises settle. */
function orderOf(promises: Readonly<Record<string, Promise<unknown>>>): Promise<string[]> {
  const order: string[] = [];
  const note = (name: string) => () => void order.push(name);
  return Promise.all(Object.entries(promises).map(([name, promise]) => promise.then(note(name), note(`${name} rejected`)))).then(
    () => order,
  );
}

describe("a call that waits", () => {
  test("resolves immediately if there are tokens", async () => {
    expect(await limiterOf(rarely).limiter.wait("key")).toMatchObject({ allowed: true, remaining: 0, retryAfter: 0 });
  });

  test("resolves when its tokens are available, and not before", async () => {
    const { limiter } = limiterOf({ rate: 100, period: 1, burst: 4 });
    const start = performance.now();
    await limiter.wait("key", { cost: 4 });
    expect(await limiter.wait("key", { cost: 3 })).toMatchObject({ allowed: true, cost: 3 });
    expect(performance.now() - start).toBeGreaterThan(28);
  });

  test("is served in order, even behind a call that costs more", async () => {
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

  test("asks the backend once at first and once when its time has come", async () => {
    const { limiter, backend } = limiterOf(often);
    await limiter.check("key");
    await Promise.all([limiter.wait("key"), limiter.wait("key")]);
    expect(backend.asked.length).toBeLessThanOrEqual(1 + 2 * 3);
  });

  test("asks only when its tokens are due, which it learns from the previous call", async () => {
    const { limiter, backend } = limiterOf({ rate: 50, period: 1, burst: 1 });
    await limiter.check("key");
    await Promise.all(Array.from({ length: 6 }, () => limiter.wait("key")));
    // A timer may fire a fraction of a millisecond early, and then its call asks again.
    expect(backend.asked.length).toBeLessThanOrEqual(2 + 6 + 3);
  });

  test("is served in order with calls of other limiters with the same name", async () => {
    const { limiter, backend } = limiterOf(often);
    const other = new RateLimiter({ ...often, backend });
    await limiter.check("key");
    const order = await orderOf({ first: limiter.wait("key"), second: other.wait("key"), third: limiter.wait("key") });
    expect(order).toEqual(["first", "second", "third"]);
  });

  test("asks the backend in the caller's async context", async () => {
    const contexts = new AsyncLocalStorage<string>();
    const seen: (string | undefined)[] = [];
    const { limiter, backend } = limiterOf(often);
    await limiter.check("key");
    const take = backend.take.bind(backend);
    Object.assign(backend, {
      take: (...call: Parameters<Backend["take"]>) => {
        seen.push(contexts.getStore());
        return take(...call);
      },
    });
    await Promise.all(["a", "b", "c"].map((name) => contexts.run(name, () => limiter.wait("key"))));
    expect([...new Set(seen)]).toEqual(["a", "b", "c"]);
  });

  test("notices a ManualClock's advance at its next check, in real time", async () => {
    const clock = new ManualClock();
    const limiter = new RateLimiter({ rate: 100, period: 1, burst: 1, backend: tableBackend(clock) });
    await limiter.check("key");
    const wait = limiter.wait("key");
    clock.advance(10);
    expect((await wait).allowed).toBe(true);
  });

  test("rejects costs that never fit, and invalid options", async () => {
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

  test("passes on the backend's error, and frees the line", async () => {
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
  test("immediately, if maxWait is known to be too short", async () => {
    const { limiter, backend } = limiterOf(rarely);
    await limiter.check("key");
    const start = performance.now();
    const error = await rejected(limiter.wait("key", { maxWait: "10d" }));
    expect([error.code, error.message]).toEqual(["WAIT_TIMEOUT", expect.stringContaining("within `maxWait` of 864000000 ms")]);
    expect(performance.now() - start).toBeLessThan(5000);
    expect(backend.asked).toEqual(["take 1", "take 1"]);
  });

  test("after maxWait, if the backend does not answer", async () => {
    const backend = Object.assign(new LateBackend(), { take: () => new Promise(() => {}) }) as Backend;
    const limiter = new RateLimiter({ ...rarely, backend });
    const waits = [limiter.wait("key", { maxWait: "30ms" }), limiter.wait("key", { maxWait: "30ms" })];
    const start = performance.now();
    for (const wait of waits) expect((await rejected(wait)).code).toBe("WAIT_TIMEOUT");
    expect(performance.now() - start).toBeGreaterThan(20);
  });

  test("by its signal: before it begins, in the line or at its head", async () => {
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

  test("and the calls behind it move up", async () => {
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
    const waits = [limiter.wait("key"), limiter.wait("key", { maxWait: "70d" }), limiter.wait("other key", { cost: 0 })];
    const elsewhere = other.wait("key", { maxWait: "100d" });
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

test("a wait of more than 2^31 ms does not loop", async () => {
  const { limiter, backend } = limiterOf(rarely);
  await limiter.check("key");
  const options: WaitOptions = { maxWait: "70d" };
  const warnings = await warningsOf(async () => {
    const waits = [limiter.wait("key"), limiter.wait("key", options)];
    await sleep(60);
    await limiter.close();
    await Promise.allSettled(waits);
  });
  expect(backend.asked).toEqual(["take 1", "take 1"]);
  expect(warnings).toEqual([]);
});

describe("a signal that lives as long as the process", () => {
  test("has one listener for thousands of waits, and none after the last has ended", async () => {
    const [{ limiter: slow }, { limiter: quick }] = [limiterOf(rarely), limiterOf({ rate: 1_000_000, period: 1 })];
    await slow.check("key");
    const controller = new AbortController();
    const { signal } = controller;
    const listeners = (): number => getEventListeners(signal, "abort").length;
    const warnings = await warningsOf(async () => {
      for (let i = 0; i < 100; i++) await quick.wait("key", { signal });
      expect(listeners()).toBe(0);
      const waits = Array.from({ length: 3000 }, (_, i) => slow.wait(`key ${i % 3}`, { signal, cost: i % 2 }));
      const other = quick.wait("key", { signal });
      expect(listeners()).toBe(1);
      await other;
      controller.abort(new Error("shutting down"));
      const reasons = (await Promise.allSettled(waits)).flatMap((wait) => (wait.status === "rejected" ? [wait.reason as unknown] : []));
      expect(reasons.length).toBeGreaterThan(2900);
      expect(reasons.every((reason) => reason === signal.reason)).toBe(true);
      expect(listeners()).toBe(0);
    });
    expect(warnings).toEqual([]);
  });

  test.each([0, 5])("lets 20,000 calls leave at once after %d ms, and none of them asks the backend needlessly", async (ms) => {
    const { limiter, backend } = limiterOf(rarely);
    await limiter.check("key");
    const controller = new AbortController();
    const start = performance.now();
    const waits = Array.from({ length: 20_000 }, () => limiter.wait("key", { signal: controller.signal }));
    const survivor = limiter.wait("key");
    if (ms > 0) await sleep(ms);
    controller.abort();
    expect((await Promise.allSettled(waits)).every(({ status }) => status === "rejected")).toBe(true);
    expect(performance.now() - start).toBeLessThan(5000);
    expect(backend.asked.length).toBeLessThanOrEqual(3);
    await limiter.close();
    await rejected(survivor);
  });
});
