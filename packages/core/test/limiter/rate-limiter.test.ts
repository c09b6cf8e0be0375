import { type Backend, ManualClock, type RateLimitExceeded, RateLimiter, type RateLimitResult, type SyncBackend } from "@ratelimit/core";
import { describe, expect, expectTypeOf, test } from "vitest";
import { LateBackend, tableBackend } from "../support/backends.ts";
import { caught, rejected } from "../support/caught.ts";

/** Ten per second, on a clock that the test moves. */
function tenPerSecond(burst: number = 10): { limiter: RateLimiter<SyncBackend>; clock: ManualClock } {
  const clock = new ManualClock();
  return { limiter: new RateLimiter({ rate: 10, period: 1, burst, backend: tableBackend(clock) }), clock };
}

describe("check", () => {
  test("refuses the sixth call of five, and says when to retry", async () => {
    const { limiter, clock } = tenPerSecond(5);
    for (const remaining of [4, 3, 2, 1, 0]) expect(await limiter.check("key")).toMatchObject({ allowed: true, remaining, retryAfter: 0 });
    expect(await limiter.check("key")).toMatchObject({ allowed: false, remaining: 0, retryAfter: 0.1, resetAfter: 0.5 });
    clock.advance(99);
    expect(await limiter.check("key")).toMatchObject({ allowed: false, retryAfter: 0.001 });
    clock.advance(1);
    expect(await limiter.check("key")).toMatchObject({ allowed: true, remaining: 0 });
  });

  test("gives no retryAfter to a call that can never be admitted", async () => {
    const { limiter } = tenPerSecond();
    expect(await limiter.check("key", { cost: 11 })).toMatchObject({ allowed: false, retryAfter: Number.POSITIVE_INFINITY, remaining: 10 });
  });

  test("works the same on an asynchronous backend", async () => {
    const limiter = new RateLimiter({ rate: 1, backend: new LateBackend() });
    const [one, other] = await Promise.all([limiter.check("key"), limiter.check("key")]);
    expect([one.allowed, other.allowed, other.retryAfter]).toEqual([true, false, 60]);
  });

  test("returns a native promise, whatever kind the backend returns", async () => {
    const late = new LateBackend();
    const thenable = <T>(answer: Promise<T>): Promise<T> => {
      const then = (...callbacks: Parameters<Promise<T>["then"]>): unknown => thenable(answer.then(...callbacks));
      return { then } as Promise<T>;
    };
    const take: Backend["take"] = (...call) => thenable(late.take(...call));
    const checked = new RateLimiter({ rate: 1, backend: Object.assign(new LateBackend(), { take }) as Backend }).check("key");
    expect(checked).toBeInstanceOf(Promise);
    expect((await checked).allowed).toBe(true);
  });

  test("passes on errors that the backend throws or rejects with", async () => {
    const failures: Backend["take"][] = [
      () => {
        throw new Error("out");
      },
      () => Promise.reject(new Error("out")),
    ];
    for (const take of failures) {
      const limiter = new RateLimiter({ rate: 1, backend: Object.assign(new LateBackend(), { take }) as Backend });
      await expect(limiter.check("key")).rejects.toThrow("out");
    }
  });
});

describe("checkSync", () => {
  test("answers synchronously, with the same result as check", async () => {
    const { limiter } = tenPerSecond();
    const { resetAt, ...result } = limiter.checkSync("key", { cost: 4 });
    expect(result).toMatchObject({ allowed: true, remaining: 6, cost: 4 });
    await limiter.reset("key");
    expect(await limiter.check("key", { cost: 4 })).toMatchObject(result);
    expect(resetAt).toBeCloseTo(Date.now() / 1000 + 0.4, 0);
  });

  test("compiles only for a synchronous backend, and throws if types are ignored", () => {
    const limiter = new RateLimiter({ rate: 5, backend: new LateBackend() });
    // @ts-expect-error: the backend is asynchronous
    const { code, message } = caught(() => limiter.checkSync("key"));
    expect([code, message]).toEqual(["INVALID_OPTION", "Expected `backend` to be synchronous for checkSync, got an object: use check()"]);
    expectTypeOf(tenPerSecond().limiter.checkSync("key")).toEqualTypeOf<RateLimitResult>();
    expectTypeOf<RateLimiter<SyncBackend>>().toExtend<RateLimiter>();
    // @ts-expect-error: any backend may be asynchronous
    expectTypeOf<RateLimiter>().toExtend<RateLimiter<SyncBackend>>();
  });

  test("leaves no unhandled rejection", async () => {
    const backend = Object.assign(new LateBackend(), { take: () => Promise.reject(new Error("out")) });
    const limiter = new RateLimiter({ rate: 5, backend: backend as never });
    expect(caught(() => limiter.checkSync("key")).code).toBe("INVALID_OPTION");
    await new Promise(setImmediate);
  });

  test.each(["", 5, null])("refuses the key %j", (key) => {
    expect(caught(() => tenPerSecond().limiter.checkSync(key as string)).code).toBe("INVALID_KEY");
  });
});

describe("enforce", () => {
  test("returns the result if admitted, and throws a refusal with its key", async () => {
    const { limiter } = tenPerSecond(1);
    expect(await limiter.enforce("user:1")).toMatchObject({ allowed: true });
    const error = (await rejected(limiter.enforce("user:1"))) as RateLimitExceeded;
    expect(error).toMatchObject({
      name: "RateLimitExceeded",
      code: "EXCEEDED",
      key: "user:1",
      result: { allowed: false, retryAfter: 0.1 },
    });
    expect(error.message).toBe("Rate limit exceeded: retry in 1 second");
  });

  test("throws a backend error, not a refusal, if an outage in closed mode refuses the call", async () => {
    const closed: Backend = {
      take: () => ({ allowed: false, used: 0, source: "closed" }),
      adjust: never,
      block: never,
      reset: never,
      close: never,
    };
    const limiter = new RateLimiter({ rate: 1, name: "api", backend: closed });
    expect(await rejected(limiter.enforce("key"))).toMatchObject({ name: "RateLimitError", code: "BACKEND", status: 503 });
    expect(await limiter.check("key")).toMatchObject({ allowed: false, source: "closed" });
  });
});

function never(): never {
  throw new Error("not asked");
}

describe("peek", () => {
  test.each([
    { spent: 0, cost: undefined, seen: { allowed: true, remaining: 10, retryAfter: 0, cost: 1 } },
    { spent: 0, cost: 10, seen: { allowed: true, remaining: 10, retryAfter: 0 } },
    { spent: 4, cost: 6, seen: { allowed: true, remaining: 6, retryAfter: 0 } },
    { spent: 4, cost: 7, seen: { allowed: false, remaining: 6, retryAfter: 0.1 } },
    { spent: 10, cost: undefined, seen: { allowed: false, remaining: 0, retryAfter: 0.1 } },
    { spent: 10, cost: 0, seen: { allowed: true, remaining: 0, retryAfter: 0 } },
    { spent: 0, cost: 11, seen: { allowed: false, remaining: 10, retryAfter: Number.POSITIVE_INFINITY } },
  ])("after $spent of 10, for a cost of $cost, returns $seen and changes nothing", async ({ spent, cost, seen }) => {
    const { limiter } = tenPerSecond();
    await limiter.check("key", { cost: spent });
    for (let i = 0; i < 3; i++) expect(await limiter.peek("key", { cost })).toMatchObject(seen);
  });

  test("reports which of several limits would refuse", async () => {
    const backend = tableBackend();
    const limiter = new RateLimiter({
      limits: [
        { name: "a", rate: 10 },
        { name: "b", rate: 5, period: "1h" },
      ],
      backend,
    });
    await limiter.check("key", { cost: 3 });
    expect(await limiter.peek("key", { cost: 2 })).toMatchObject({ allowed: true, tightest: "b", remaining: 2 });
    expect(await limiter.peek("key", { cost: 3 })).toMatchObject({ allowed: false, tightest: "b", retryAfter: 720 });
  });
});

describe("refund and charge", () => {
  test("a refund returns one token by default, up to a full bucket", async () => {
    const { limiter } = tenPerSecond();
    await limiter.check("key", { cost: 5 });
    expect(await limiter.refund("key")).toMatchObject({ allowed: true, remaining: 6, retryAfter: 0 });
    expect(await limiter.refund("key", 3)).toMatchObject({ remaining: 9 });
    expect(await limiter.refund("key", 100)).toMatchObject({ remaining: 10, resetAfter: 0 });
    expect(await limiter.refund("key", 0)).toMatchObject({ remaining: 10 });
  });

  test("a charge goes into debt, and reports what even the debt could not take", async () => {
    const { limiter, clock } = tenPerSecond();
    expect(await limiter.charge("key", 4)).toMatchObject({ allowed: true, remaining: 6, uncharged: 0 });
    expect(await limiter.charge("key", 20)).toMatchObject({ allowed: true, remaining: 0, retryAfter: 0, resetAfter: 2, uncharged: 4 });
    expect(await limiter.check("key")).toMatchObject({ allowed: false, retryAfter: 1.1 });
    clock.advance(1100);
    expect(await limiter.check("key")).toMatchObject({ allowed: true });
    expectTypeOf(await limiter.charge("key", 1)).toEqualTypeOf<RateLimitResult & { uncharged: number }>();
    expectTypeOf(await limiter.refund("key")).toEqualTypeOf<RateLimitResult>();
  });
});

describe("the tightest limit", () => {
  const limits = [
    { name: "second", rate: 10, period: 1, burst: 5 },
    { name: "minute", rate: 60, period: 60, burst: 8 },
  ] as const;

  test.each([
    { spent: [1], cost: 1, tightest: "second", remaining: 3, retryAfter: 0 },
    { spent: [5], cost: 1, tightest: "second", remaining: 0, retryAfter: 0.1 },
    { spent: [5], cost: 4, tightest: "minute", remaining: 3, retryAfter: 1 },
    { spent: [5], cost: 6, tightest: "second", remaining: 0, retryAfter: Number.POSITIVE_INFINITY },
  ])("after spending $spent, for a cost of $cost, is $tightest", async ({ spent, cost, ...figures }) => {
    const limiter = new RateLimiter({ limits, backend: tableBackend() });
    for (const tokens of spent) await limiter.check("key", { cost: tokens });
    expect(await limiter.check("key", { cost })).toMatchObject(figures);
  });

  test("is the first one in a tie", async () => {
    const tie = [
      { name: "a", rate: 5 },
      { name: "b", rate: 5 },
    ] as const;
    const limiter = new RateLimiter({ limits: tie, backend: tableBackend() });
    expect((await limiter.check("key")).tightest).toBe("a");
    expect((await limiter.check("key", { cost: 5 })).tightest).toBe("a");
  });
});

describe("reset, update, close", () => {
  test("a reset fills the bucket", async () => {
    const { limiter } = tenPerSecond();
    await limiter.charge("key", 20);
    await limiter.reset("key");
    expect(await limiter.peek("key")).toMatchObject({ remaining: 10, resetAfter: 0 });
  });

  test("an update reaches every limiter with the name, and buckets keep the time they owe", async () => {
    const backend = tableBackend();
    const [one, other] = [new RateLimiter({ rate: 10, period: 1, backend }), new RateLimiter({ rate: 10, period: 1, backend })];
    await one.check("key", { cost: 6 });
    one.update({ rate: 5, period: 1, burst: 20 });
    expect([other.policy.limits[0].rate, other.policy.limits[0].burst]).toEqual([5, 20]);
    expect(await other.peek("key")).toMatchObject({ limit: 5, burst: 20, resetAfter: 0.6, remaining: 17 });
    expect(() => new RateLimiter({ rate: 10, period: 1, backend })).toThrow("unique");
    expect(new RateLimiter({ rate: 5, period: 1, burst: 20, backend }).policy).toEqual(one.policy);
  });

  test("an unnamed limit keeps its limiter's name through updates", () => {
    const limiter = new RateLimiter({ rate: 10, name: "api", backend: tableBackend() });
    for (const options of [{ rate: 5 }, { rate: 6, name: undefined }]) {
      limiter.update(options);
      expect(limiter.policy.limits[0].name).toBe("api");
    }
    limiter.update({ rate: 5, name: "other" });
    expect([limiter.name, limiter.policy.limits[0].name]).toEqual(["api", "other"]);
  });

  test.each<unknown>([undefined, null, [], "x", {}, { rate: -1 }, { limits: [] }, { rate: 5, backend: {} }])(
    "an invalid update to %j changes nothing",
    (options) => {
      const limiter = new RateLimiter({ rate: 10, name: "api", backend: tableBackend() });
      expect(caught(() => limiter.update(options as never)).code).toBe("INVALID_POLICY");
      expect(limiter.policy.limits[0].rate).toBe(10);
    },
  );

  test("a closed limiter throws, and leaves its backend open", async () => {
    const backend = new LateBackend();
    const limiter = new RateLimiter({ rate: 10, backend });
    await limiter[Symbol.asyncDispose]();
    await limiter.close();
    for (const call of [
      () => limiter.check("key"),
      () => limiter.enforce("key"),
      () => limiter.peek("key"),
      () => limiter.refund("key"),
      () => limiter.charge("key", 1),
      () => limiter.wait("key"),
      () => limiter.reset("key"),
      async () => limiter.update({ rate: 1 }),
    ])
      expect(await rejected(call())).toMatchObject({
        code: "INVALID_OPTION",
        message: expect.stringContaining("This limiter is closed") as string,
      });
    expect(backend.asked).toEqual([]);
    expect((await new RateLimiter({ rate: 5, backend }).check("key")).allowed).toBe(true);
  });
});
