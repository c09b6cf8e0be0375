import { setImmediate as turn } from "node:timers/promises";
import {
  type Backend,
  type OutageEvent,
  RateLimitError,
  RateLimiter,
  type RateLimitResult,
  type ResilientOptions,
  resilient,
} from "@ratelimit/core";
import type { BackendParts, BackendReply } from "@ratelimit/core/backend";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ManualTime } from "../support/manual-time.ts";

/** A backend that answers as the test says, and records how it was called. */
class Puppet implements Backend {
  take: Backend["take"];
  adjust: Backend["adjust"];
  block: Backend["block"] = () => {};
  reset: Backend["reset"] = () => {};
  close: Backend["close"] = () => {};
  calls = 0;

  constructor(answer: () => unknown) {
    this.take = () => {
      this.calls++;
      return answer() as BackendReply;
    };
    this.adjust = this.take;
  }
}

/** Anything can be thrown, not only an Error. */
const [text, nothing, nil]: readonly unknown[] = ["text", undefined, null];
const never = (): Promise<never> => new Promise(() => {});
const thenable = (then: () => void): object => ({ then });
const yes: BackendReply = { allowed: true, used: 0 };

let time = new ManualTime();
const unhandled = vi.fn<(reason: unknown) => void>();
beforeEach(() => {
  time = new ManualTime();
  unhandled.mockClear();
  process.on("unhandledRejection", unhandled);
  vi.spyOn(process, "emitWarning").mockImplementation(() => {});
});
afterEach(async () => {
  await turn(); // Node reports an unhandled rejection only now
  process.off("unhandledRejection", unhandled);
  vi.restoreAllMocks();
  expect(unhandled).not.toHaveBeenCalled();
});

function limiterOn(backend: Backend, options: ResilientOptions = {}, parts: BackendParts = {}): RateLimiter {
  return new RateLimiter({ rate: 100, period: 60, name: "api", backend: resilient(backend, options, { time, ...parts }) });
}

/** Lets time pass until a promise settles, and returns its value. */
async function settled<T>(promise: Promise<T>): Promise<T> {
  let isPending = true;
  const done = (): void => {
    isPending = false;
  };
  promise.then(done, done);
  await time.pass(0);
  while (isPending) await time.pass(1);
  return promise;
}

async function close(limiter: RateLimiter): Promise<void> {
  await limiter.backend.close();
}

/** Checks a key without taking a token. */
function peeked(limiter: RateLimiter): Promise<RateLimitResult> {
  return settled(limiter.check("key", { cost: 0 }));
}

/** What a backend may do instead of answering. */
const hostile: readonly [what: string, answer: () => unknown][] = [
  ["never settles", never],
  [
    "throws",
    () => {
      throw new Error("thrown");
    },
  ],
  [
    "throws a non-Error",
    () => {
      throw text;
    },
  ],
  [
    "throws undefined",
    () => {
      throw nothing;
    },
  ],
  [
    "rejects",
    async () => {
      throw new Error("rejected");
    },
  ],
  ["rejects with a string", () => Promise.reject(text)],
  ["rejects with undefined", () => Promise.reject(nothing)],
  ["rejects with null", () => Promise.reject(nil)],
  [
    "rejects with an error that is its own cause",
    () => {
      const error = new Error("round");
      error.cause = error;
      return Promise.reject(error);
    },
  ],
  ["resolves late", () => time.after(50, yes)],
  [
    "rejects late",
    async () => {
      await time.after(50, undefined);
      throw new Error("late");
    },
  ],
  [
    "is a thenable that throws",
    () =>
      thenable(() => {
        throw new Error("then");
      }),
  ],
  ["is a thenable that never calls back", () => thenable(() => {})],
  ["answers with undefined", () => undefined],
  ["answers with null", () => null],
  ["answers with a string", async () => "yes"],
  ["answers with an empty object", async () => ({})],
  ["answers without used", async () => ({ allowed: true })],
  ["answers with a truthy allowed", async () => ({ allowed: 1, used: 0 })],
  ["answers with used: NaN", async () => ({ allowed: true, used: Number.NaN })],
  ["answers with used: -1", async () => ({ allowed: true, used: -1 })],
  ["answers with used: Infinity", async () => ({ allowed: true, used: Number.POSITIVE_INFINITY })],
  ["answers with used as a string", async () => ({ allowed: true, used: "0" })],
  ["answers for too many limits", async () => ({ allowed: true, used: [0, 0] })],
  ["answers for no limit", async () => ({ allowed: true, used: [] })],
];

describe("a backend that", () => {
  test.each(hostile)("%s delays no decision beyond the timeout, and leaves no rejection unhandled", async (_, answer) => {
    const backend = new Puppet(answer);
    const limiter = limiterOn(backend, { timeout: "20ms", instances: 4, onOutage: () => {} });
    const results = await settled(Promise.all(Array.from({ length: 30 }, () => limiter.check("key"))));
    expect(results.filter(({ allowed }) => allowed)).toHaveLength(25);
    expect(results.every(({ degraded, source }) => degraded && source === "local")).toBe(true);
    expect(time.now()).toBeLessThanOrEqual(20);
    await time.pass(50);
    await settled(close(limiter));
  });

  test.each(hostile)('%s causes a BACKEND error with outage: "throw", and always for reset', async (_, answer) => {
    const backend = new Puppet(answer);
    backend.reset = answer as Backend["reset"];
    const limiter = limiterOn(backend, { timeout: "20ms", outage: "throw", onOutage: () => {} });
    for (let i = 0; i < 3; i++) {
      await expect(settled(limiter.check("key"))).rejects.toMatchObject({ name: "RateLimitError", code: "BACKEND" });
      await expect(settled(limiter.charge("key", 1))).rejects.toMatchObject({ code: "BACKEND" });
    }
    await time.pass(50);
    await settled(close(limiter));
  });

  test.each([
    ["open", { allowed: true, degraded: true, source: "open", limits: [] }],
    ["closed", { allowed: false, degraded: true, source: "closed", limits: [], retryAfter: 1 }],
  ] as const)("never settles is decided by outage mode %s", async (outage, result) => {
    const limiter = limiterOn(new Puppet(never), { timeout: "20ms", outage, onOutage: () => {} });
    for (let i = 0; i < 10; i++) {
      expect(await settled(limiter.check("key"))).toMatchObject(result);
      expect(await settled(limiter.peek("key"))).toMatchObject(result);
    }
  });
});

test("while the breaker is open, a backend is called only to probe it, until its first timely answer", async () => {
  let answer: () => unknown = () => Promise.reject(new Error("connect ECONNREFUSED"));
  const backend = new Puppet(() => answer());
  const events: OutageEvent[] = [];
  const limiter = limiterOn(backend, { onOutage: (event) => events.push(event) });
  await settled(limiter.check("key"));
  expect(backend.calls).toBe(1);
  for (const end = time.now() + 1500; time.now() < end; await time.pass(1)) {
    const sentAt = time.now();
    expect((await peeked(limiter)).source).toBe("local");
    expect(time.now()).toBe(sentAt);
  }
  expect(backend.calls - 1).toBeGreaterThanOrEqual(2);
  expect(backend.calls - 1).toBeLessThanOrEqual(6);
  answer = () => time.after(10, yes);
  const backAt = time.now();
  while ((await peeked(limiter)).degraded && time.now() - backAt < 5000) await time.pass(5);
  expect(time.now() - backAt).toBeLessThan(1000);
  expect(events.map(({ class: kind, recovered }) => [kind, recovered])).toEqual([
    ["connection", undefined],
    ["connection", true],
  ]);
  expect(events[0]?.reason).toBe("connect ECONNREFUSED");
  await settled(close(limiter));
});

test("a backend that always answers late stays out, without flapping", async () => {
  const backend = new Puppet(() => time.after(80, yes));
  const limiter = limiterOn(backend, { timeout: "40ms", onOutage: () => {} });
  while (time.now() < 2500) {
    expect((await peeked(limiter)).source).toBe("local");
    await time.pass(10);
  }
  // Half a second of calls, then only probes.
  expect(backend.calls).toBeLessThan(40);
  await settled(close(limiter));
});

test("an outage that begins within a second of the last event is reported as soon as that second is over", async () => {
  let isOut = true;
  const backend = new Puppet(() => (isOut ? Promise.reject(new Error("out")) : yes));
  const events: (OutageEvent & { at: number })[] = [];
  const limiter = limiterOn(backend, { onOutage: (event) => events.push({ ...event, at: time.now() }) });
  await settled(limiter.check("key"));
  isOut = false;
  while ((await settled(limiter.check("key"))).degraded) await time.pass(5);
  isOut = true;
  await settled(limiter.check("key")); // opens the breaker; its event is suppressed, and no more calls follow
  await time.pass(2000);
  expect(events.map(({ recovered }) => recovered)).toEqual([undefined, true, undefined]);
  expect((events[2]?.at as number) - (events[0]?.at as number)).toBeGreaterThanOrEqual(1000);
  await settled(close(limiter));
});

test("each server has its own breaker, and recovery is reported when the last one is back", async () => {
  const out = new Set(["a", "b"]);
  const events: OutageEvent[] = [];
  const serverOf = (_: unknown, key: string): string => key.slice(0, 1);
  const backend = new Puppet(() => yes);
  backend.take = async (_, key) => {
    if (out.has(serverOf(_, key))) throw new Error("out");
    return yes;
  };
  const probed: string[] = [];
  const probe = async (_: unknown, server: string): Promise<void> => {
    probed.push(server);
    if (out.has(server)) throw new Error("out");
  };
  const resilientBackend = resilient(backend, { onOutage: (event) => events.push(event) }, { serverOf, probe, time });
  const limiter = new RateLimiter({ rate: 100, name: "api", backend: resilientBackend });
  const sources = (): Promise<string[]> =>
    settled(Promise.all(["a", "b", "c"].map(async (key) => (await limiter.check(key, { cost: 0 })).source)));
  await sources();
  expect(await sources()).toEqual(["local", "local", "backend"]);
  out.delete("a");
  while ((await sources())[0] === "local") await time.pass(5);
  expect(await sources()).toEqual(["backend", "local", "backend"]);
  expect(events.filter(({ recovered }) => recovered)).toHaveLength(0);
  out.delete("b");
  resilientBackend.hurry();
  await time.pass(20);
  expect(await sources()).toEqual(["backend", "backend", "backend"]);
  expect(events.filter(({ recovered }) => recovered)).toHaveLength(1);
  expect(new Set(probed)).toEqual(new Set(["a", "b"]));
  await settled(resilientBackend.close());
});

test.each([false, true])(
  "a bad value in one key affects only that key, named by a digest (reported by another copy of core: %s)",
  async (another) => {
    if (another) vi.resetModules();
    const { RateLimitError } = await import("../../src/errors.ts");
    const events: OutageEvent[] = [];
    const backend = new Puppet(() => yes);
    backend.take = async (_, key) => {
      if (key === "bad") throw new RateLimitError("BACKEND", "not ours", { keyOnly: true });
      return yes;
    };
    const limiter = limiterOn(backend, { onOutage: (event) => events.push(event) });
    for (let i = 0; i < 20; i++) {
      expect((await settled(limiter.check("bad"))).source).toBe("local");
      expect((await settled(limiter.check("good"))).source).toBe("backend");
    }
    expect(events).toEqual([{ class: "key", source: "local", suppressed: 0, reason: "not ours", keyHash: events[0]?.keyHash }]);
    expect(events[0]?.keyHash).toMatch(/^[0-9a-f]{16}$/);
    await settled(close(limiter));
  },
);

test("a caller's mistake is reported to the caller, and is not an outage", async () => {
  const events: OutageEvent[] = [];
  const limiter = limiterOn(new Puppet(() => Promise.reject(new RateLimitError("INVALID_POLICY", "too long"))), {
    onOutage: (event) => events.push(event),
  });
  await expect(settled(limiter.check("key"))).rejects.toMatchObject({ code: "INVALID_POLICY" });
  expect(events).toEqual([]);
});

describe("close", () => {
  test.each([
    ["never settles", never, "fulfilled"],
    ["rejects", () => Promise.reject(new Error("no")), "rejected"],
    [
      "throws",
      () => {
        throw new Error("no");
      },
      "rejected",
    ],
    ["resolves", async () => {}, "fulfilled"],
  ] as const)("ends within 2.5 s and calls the backend's close once, even if that %s", async (_, answer, status) => {
    const backend = new Puppet(never);
    const close = vi.fn(answer);
    backend.close = close;
    const events: OutageEvent[] = [];
    const limiter = limiterOn(backend, { timeout: "20ms", onOutage: (event) => events.push(event) });
    const pending = limiter.check("key");
    const outcomes = await settled(Promise.allSettled([limiter.backend.close(), limiter.backend.close()]));
    expect(outcomes.map((outcome) => outcome.status)).toEqual([status, status]);
    expect(time.now()).toBeLessThanOrEqual(2500);
    expect(close).toHaveBeenCalledTimes(1);
    // Calls in flight are still decided, but no longer reported.
    expect((await pending).source).toBe("local");
    expect(events).toEqual([]);
  });
});
