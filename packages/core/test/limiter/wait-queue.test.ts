import { setTimeout as sleep } from "node:timers/promises";
import { type Backend, ManualClock, type PolicyOptions, RateLimiter, resilient } from "@ratelimit/core";
import type { BackendReply } from "@ratelimit/core/backend";
import { warningsOf } from "@ratelimit/testbed/warnings";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { processClock } from "../../src/clock.ts";
import { Waiter } from "../../src/limiter/waiter.ts";
import { WaitingLine } from "../../src/limiter/waiting-line.ts";
import { LateBackend, tableBackend } from "../support/backends.ts";
import { rejected } from "../support/caught.ts";
import { always } from "../support/property.ts";

/** A rate so slow that nothing refills while a test runs. */
const hourly: PolicyOptions = { rate: 10, period: "10h" };

/** Creates a limiter whose bucket for `key` is empty. */
async function emptied(policy: PolicyOptions = hourly): Promise<{ limiter: RateLimiter; backend: LateBackend }> {
  const backend = new LateBackend(tableBackend(processClock));
  const limiter = new RateLimiter({ ...policy, backend });
  await limiter.check("key", { cost: limiter.policy.limits[0].burst });
  return { limiter, backend };
}

/** Returns the outcome of a wait within `ms`. */
function within(ms: number, wait: Promise<unknown>): Promise<unknown> {
  const outcome = wait.then(
    () => "admitted",
    (error: unknown) => (error as { code?: string }).code ?? error,
  );
  return Promise.race([outcome, sleep(ms, "still waiting")]);
}

describe("a call that waits is woken", () => {
  test.each<[string, (limiter: RateLimiter) => unknown]>([
    ["a reset", (limiter) => limiter.reset("key")],
    ["a refund", (limiter) => limiter.refund("key")],
    ["an update", (limiter) => limiter.update({ ...hourly, burst: 20 })],
  ])("by %s on this limiter or another with its name", async (_, change) => {
    for (const other of [false, true]) {
      const { limiter, backend } = await emptied();
      const wait = limiter.wait("key");
      await sleep(5);
      await change(other ? new RateLimiter({ ...hourly, backend }) : limiter);
      expect(await within(500, wait)).toBe("admitted");
    }
  });

  test("even if the change happens while the head of the line is asking the backend", async () => {
    const { limiter, answer } = await held(0);
    const wait = limiter.wait("key", { maxWait: "30m" });
    await limiter.reset("key");
    answer();
    expect(await within(500, wait)).toBe("admitted");
  });

  test("by a charge, and rejected if its maxWait is now too short", async () => {
    const { limiter } = await emptied({ rate: 10, period: 1 });
    const waits = [5, 1].map((cost) => limiter.wait("key", { cost, maxWait: "1s" }));
    await sleep(5);
    await limiter.charge("key", 10);
    for (const wait of waits) expect(await within(300, wait)).toBe("WAIT_TIMEOUT");
  });

  test("by no change to another key", async () => {
    const { limiter, backend } = await emptied();
    const wait = limiter.wait("key");
    await sleep(5);
    await limiter.reset("other");
    expect(await within(20, wait)).toBe("still waiting");
    expect(backend.asked.filter((call) => call === "take 1")).toHaveLength(1);
    await limiter.close();
  });

  test("once a second, because another process may have reset the bucket", async () => {
    const { limiter, backend } = await emptied();
    const wait = limiter.wait("key");
    await sleep(5);
    await backend.reset({ prefix: "ratelimit:default:", policy: limiter.policy }, "key");
    expect(await within(1500, wait)).toBe("admitted");
  });

  test("by the end of an outage", async () => {
    const table = tableBackend(processClock);
    const real = new LateBackend(table);
    let isOut = false;
    const take: Backend["take"] = (...call) => (isOut ? Promise.reject(new Error("down")) : LateBackend.prototype.take.apply(real, call));
    await using backend = resilient(Object.assign(real, { take }), { instances: 20, onOutage: () => {} });
    const limiter = new RateLimiter({ ...hourly, backend });
    await limiter.check("key", { cost: 10 });
    isOut = true;
    const wait = limiter.wait("key", { maxWait: "30s" });
    await sleep(5);
    table.reset({ prefix: "ratelimit:default:", policy: limiter.policy }, "key");
    expect(await within(5, wait)).toBe("still waiting");
    isOut = false;
    backend.hurry();
    expect(await within(500, wait)).toBe("admitted");
  });
});

describe("a call that cannot be admitted is rejected immediately", () => {
  test("even behind others, if it costs more than the burst", async () => {
    const { limiter } = await emptied();
    const head = limiter.wait("key");
    const error = await rejected(limiter.wait("key", { cost: 11 }));
    expect(error).toMatchObject({ code: "EXCEEDED", result: { retryAfter: Number.POSITIVE_INFINITY, remaining: 0, cost: 11 } });
    await limiter.close();
    await rejected(head);
  });

  test("even in an outage in closed mode", async () => {
    const closed: Backend = {
      take: () => ({ allowed: false, used: 0, source: "closed" }),
      adjust: never,
      block: never,
      reset: never,
      close: never,
    };
    const limiter = new RateLimiter({ ...hourly, name: "api", backend: closed });
    expect(await rejected(limiter.wait("key", { cost: 11 }))).toMatchObject({
      code: "EXCEEDED",
      result: { retryAfter: Number.POSITIVE_INFINITY },
    });
  });

  test("anywhere in the line, if an update lowers the burst below its cost", async () => {
    const { limiter } = await emptied();
    const costs = [2, 9, 1, 10, 3];
    const waits = costs.map((cost) => limiter.wait("key", { cost }));
    await sleep(5);
    limiter.update({ rate: 3, period: "10h" });
    expect(await Promise.all(waits.map((wait) => within(50, wait)))).toEqual(
      costs.map((cost) => (cost > 3 ? "EXCEEDED" : "still waiting")),
    );
    await limiter.close();
  });

  test.concurrent.each<[string, number[], [cost: number, maxWait: "300ms" | "10s", "WAIT_TIMEOUT" | "admitted"][]]>([
    ["behind calls of cost 1", [1, 1, 1], [[1, "300ms", "WAIT_TIMEOUT"]]],
    ["behind a call that costs more", [3], [[1, "300ms", "WAIT_TIMEOUT"]]],
    [
      "behind a call that is itself rejected",
      [1],
      [
        [9, "300ms", "WAIT_TIMEOUT"],
        [1, "300ms", "admitted"],
      ],
    ],
  ])("%s, if maxWait is too short for the line", async (_, line, calls) => {
    for (const isKnown of [false, true]) {
      const { limiter } = await emptied({ rate: 10, period: 1 });
      const ahead = line.map((cost) => limiter.wait("key", { cost }));
      if (isKnown) await sleep(5);
      const waits = calls.map(([cost, maxWait]) => limiter.wait("key", { cost, maxWait }));
      const outcomes = await Promise.all(waits.map((wait, i) => within(calls[i]?.[2] === "admitted" ? 500 : 150, wait)));
      expect(outcomes).toEqual(calls.map(([, , outcome]) => outcome));
      await Promise.all(ahead);
    }
  });

  test("but not because of an outage's limits, because the outage may end sooner", async () => {
    const local: BackendReply = { allowed: false, used: 36_000, source: "local", instances: 20 };
    let isOut = true;
    const real = tableBackend(processClock);
    const backend = { ...methodsOf(real), take: (...call: Parameters<Backend["take"]>) => (isOut ? local : real.take(...call)) };
    const limiter = new RateLimiter({ rate: 10, period: "1h", name: "api", backend });
    const waits = [1, 1].map((cost) => limiter.wait("key", { cost, maxWait: "5s" }));
    expect(await within(20, Promise.race(waits))).toBe("still waiting");
    isOut = false;
    await limiter.refund("key");
    expect(await within(500, Promise.all(waits))).toBe("admitted");
  });
});

test("a call is rejected early only if the bucket would admit it too late", () => {
  const limit = fc.record({
    rate: fc.integer({ min: 1, max: 50 }),
    period: fc.integer({ min: 1, max: 9 }),
    burst: fc.integer({ min: 8, max: 60 }),
  });
  always(
    fc.tuple(limit, fc.option(limit), fc.array(fc.integer({ min: 0, max: 8 }), { minLength: 1, maxLength: 12 })),
    ([one, two, costs]) => {
      const clock = new ManualClock();
      const limits = [{ ...one, name: "a" }, ...(two ? [{ ...two, name: "b" }] : [])] as const;
      const limiter = new RateLimiter({ limits, backend: tableBackend(clock) });
      const { policy } = limiter;
      limiter.checkSync("key", { cost: Math.min(...policy.limits.map(({ burst }) => burst)) });
      const line = new WaitingLine();
      line.learn({ policy, result: limiter.checkSync("key", { cost: 1 }), askedAt: 0, answeredAt: 0 });
      // Only a refused call with a cost of 1 counts here, not another head of the line.
      const head = new Waiter({ owner: limiter, cost: 1, maxWaitMs: 1, take: never, giveBack: never });
      line.push(head);
      line.remove(head);
      let tokens = 0;
      for (const cost of costs) {
        tokens += cost;
        let result = limiter.checkSync("key", { cost });
        for (; !result.allowed; result = limiter.checkSync("key", { cost })) clock.advance(result.retryAfter * 1000);
        expect(line.earliest(tokens)).toBeLessThanOrEqual(clock.now());
        // A full bucket loses what flows in: less than a millisecond each time that a cost empties it.
        if (two === null) expect(line.earliest(tokens)).toBeGreaterThan(clock.now() - costs.length);
      }
    },
  );
});

describe("the tokens of a call that has left are refunded", () => {
  test.each<[string, (limiter: RateLimiter) => Promise<unknown>]>([
    [
      "aborted",
      (limiter) => {
        const controller = new AbortController();
        const wait = limiter.wait("key", { cost: 3, signal: controller.signal });
        setImmediate(() => controller.abort(new Error("aborted")));
        return wait;
      },
    ],
    ["timed out", (limiter) => limiter.wait("key", { cost: 3, maxWait: "10ms" })],
    [
      "closed",
      (limiter) => {
        const wait = limiter.wait("key", { cost: 3 });
        setImmediate(() => void limiter.close());
        return wait;
      },
    ],
  ])("if it was %s while the backend was deciding", async (_, waitAndLeave) => {
    const { limiter, backend, answer } = await held(3);
    await expect(waitAndLeave(limiter)).rejects.toThrow();
    answer();
    await new Promise(setImmediate);
    expect(backend.asked.slice(1)).toEqual(["take 3", "adjust -3"]);
    const take = await LateBackend.prototype.take.call(backend, { prefix: "ratelimit:default:", policy: limiter.policy }, "key", 0);
    expect(take.used).toBe(7 * limiter.policy.limits[0].unitsPerToken);
  });

  test("to the next in line", async () => {
    const { limiter, answer } = await held(3);
    const controller = new AbortController();
    const first = limiter.wait("key", { cost: 3, signal: controller.signal });
    const next = limiter.wait("key", { cost: 3 });
    setImmediate(() => controller.abort());
    await expect(first).rejects.toThrow();
    answer();
    expect(await within(500, next)).toBe("admitted");
  });

  test.each<[string, Partial<BackendReply>, number]>([
    ["was refused", { allowed: false }, 3],
    ["was decided by an outage", { source: "open" }, 3],
    ["costs nothing", {}, 0],
  ])("unless it %s", async (_, taken, cost) => {
    const backend = new LateBackend();
    const take = backend.take.bind(backend);
    Object.assign(backend, { take: async (...call: Parameters<Backend["take"]>) => ({ ...(await take(...call)), ...taken }) });
    const limiter = new RateLimiter({ ...hourly, backend });
    const controller = new AbortController();
    const wait = limiter.wait("key", { cost, signal: controller.signal });
    controller.abort(new Error("aborted"));
    await expect(wait).rejects.toThrow("aborted");
    await new Promise(setImmediate);
    expect(backend.asked).toEqual([`take ${cost}`]);
  });

  test("or cause a warning if the refund fails", async () => {
    const { limiter, backend, answer } = await held(3);
    Object.assign(backend, { adjust: () => Promise.reject(new Error("out")) });
    const warnings = await warningsOf(async () => {
      await rejected(limiter.wait("key", { cost: 3, maxWait: "10ms" }));
      answer();
      await new Promise(setImmediate);
    });
    expect(warnings).toEqual([{ code: "RATELIMIT_REFUND_FAILED", message: expect.stringMatching(/: out$/) as string }]);
  });
});

/** Creates a limiter with `left` of ten tokens, whose backend decides at once but answers only when released. */
async function held(left: number): Promise<{ limiter: RateLimiter; backend: LateBackend; answer: () => void }> {
  let answer = (): void => {};
  const gate = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const backend = new LateBackend();
  const take = backend.take.bind(backend);
  const limiter = new RateLimiter({ ...hourly, backend });
  await limiter.check("key", { cost: 10 - left });
  Object.assign(backend, { take: (...call: Parameters<Backend["take"]>) => take(...call).then((taken) => gate.then(() => taken)) });
  return { limiter, backend, answer };
}

function never(): never {
  throw new Error("not asked");
}

function methodsOf(backend: Backend): Backend {
  return {
    take: (...call) => backend.take(...call),
    adjust: (...call) => backend.adjust(...call),
    block: (...call) => backend.block(...call),
    reset: (...call) => backend.reset(...call),
    close: () => backend.close(),
  };
}
