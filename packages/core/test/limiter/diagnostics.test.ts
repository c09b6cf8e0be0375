import { subscribe, unsubscribe } from "node:diagnostics_channel";
import {
  type BlockMessage,
  type BreakerMessage,
  type DecisionMessage,
  definePolicy,
  type EvictMessage,
  type FailureMessage,
  ManualClock,
  RateLimiter,
  resilient,
} from "@ratelimit/core";
import { BucketTable } from "@ratelimit/core/backend";
import { warningsOf } from "@ratelimit/testbed/warnings";
import { describe, expect, test } from "vitest";
import { LateBackend, tableBackend } from "../support/backends.ts";
import { ManualTime } from "../support/manual-time.ts";

/** Collects what a channel publishes while `act` runs. */
async function heard<T>(channel: string, act: () => unknown): Promise<T[]> {
  const messages: T[] = [];
  const note = (message: unknown): void => {
    messages.push(message as T);
  };
  subscribe(channel, note);
  try {
    await act();
  } finally {
    unsubscribe(channel, note);
  }
  return messages;
}

describe("ratelimit:decision", () => {
  test.each([
    ["synchronously", tableBackend()],
    ["asynchronously", new LateBackend()],
  ])("reports every decision of a backend that answers %s, and never the key", async (_, backend) => {
    const limiter = new RateLimiter({ rate: 5, name: "api", backend });
    const results: unknown[] = [];
    const messages = await heard<DecisionMessage>("ratelimit:decision", async () => {
      results.push(await limiter.check("secret", { cost: 4 }), await limiter.check("secret", { cost: 2 }));
    });
    expect(messages.map(({ cost, result }) => [cost, result])).toEqual([
      [4, results[0]],
      [2, results[1]],
    ]);
    for (const { limiter: name, scope, durationMs } of messages) {
      expect([name, scope.prefix, scope.policy]).toEqual(["api", "ratelimit:api:", limiter.policy]);
      expect(durationMs).toBeGreaterThanOrEqual(0);
    }
    expect(JSON.stringify(messages)).not.toContain("secret");
  });

  test("also reports decisions of enforce and wait, but nothing for peek, refund, charge and reset", async () => {
    const limiter = new RateLimiter({ rate: 5, backend: tableBackend() });
    const messages = await heard<DecisionMessage>("ratelimit:decision", async () => {
      await limiter.enforce("key");
      await limiter.wait("key");
      await limiter.peek("key");
      await limiter.refund("key");
      await limiter.charge("key", 1);
      await limiter.reset("key");
    });
    expect(messages.map(({ result }) => result.remaining)).toEqual([4, 3]);
  });

  test.each([
    ["by its policy", { rate: 1, block: "10s" } as const, async () => {}],
    ["by a call", { rate: 5 } as const, (limiter: RateLimiter) => limiter.block("key", "10s")],
  ])("says how long a key that was blocked %s stays blocked", async (_, policy, block) => {
    const clock = new ManualClock();
    const limiter = new RateLimiter({ ...policy, backend: tableBackend(clock) });
    const messages = await heard<DecisionMessage>("ratelimit:decision", async () => {
      await limiter.check("key");
      await block(limiter);
      await limiter.check("key");
      clock.advance(4000);
      await limiter.check("key");
      await limiter.check("another key");
    });
    expect(messages.map(({ blockedMs }) => blockedMs)).toEqual([undefined, 10_000, 6000, undefined]);
  });

  test("is silent if a call is rejected before the backend is asked", async () => {
    const limiter = new RateLimiter({ rate: 5, backend: tableBackend() });
    const messages = await heard("ratelimit:decision", async () => {
      await limiter.check("").catch(() => {});
      await limiter.check("key", { cost: -1 }).catch(() => {});
    });
    expect(messages).toEqual([]);
  });
});

test("ratelimit:evict reports how many buckets a full table drops", async () => {
  const limiter = new RateLimiter({ rate: 5, backend: new BucketTable(2, new ManualClock()) });
  const messages = await heard<EvictMessage>("ratelimit:evict", () => {
    for (const key of ["a", "b", "c", "b", "d"]) limiter.checkSync(key);
  });
  expect(messages).toEqual([{ count: 1 }, { count: 1 }]);
});

test.each<[string, () => unknown]>([
  [
    "throws",
    () => {
      throw new Error("disk full");
    },
  ],
  ["rejects", async () => Promise.reject(new Error("disk full"))],
])("a subscriber that %s changes no decision and causes one warning", async (_, fails) => {
  const limiter = new RateLimiter({ rate: 5, backend: tableBackend() });
  const broken = (): unknown => fails();
  subscribe("ratelimit:decision", broken);
  const warnings = await warningsOf(async () => {
    for (let i = 0; i < 3; i++) expect((await limiter.check("key")).allowed).toBe(true);
  });
  unsubscribe("ratelimit:decision", broken);
  expect(warnings).toEqual([{ code: "RATELIMIT_LISTENER_THREW", message: "A listener of ratelimit:decision threw: disk full" }]);
});

test("ratelimit:block reports each block by a call, and never the key", async () => {
  const limiter = new RateLimiter({ rate: 5, name: "api", backend: tableBackend() });
  const messages = await heard<BlockMessage>("ratelimit:block", async () => {
    await limiter.block("secret", "1m");
    await limiter.block("", "1m").catch(() => {});
  });
  expect(messages).toEqual([{ limiter: "api", scope: { prefix: "ratelimit:api:", policy: limiter.policy }, durationMs: 60_000 }]);
  expect(JSON.stringify(messages)).not.toContain("secret");
});

test("ratelimit:failure reports each failure, unlike ratelimit:outage, and never the key", async () => {
  const fails = (): Promise<never> => Promise.reject(new Error("connection refused"));
  const backend = resilient(
    { take: fails, adjust: fails, block: () => {}, reset: () => {}, close: () => {} },
    {},
    { time: new ManualTime() },
  );
  const limiter = new RateLimiter({ name: "api", rate: 5, backend });
  const call = (): Promise<unknown> => Promise.all([1, 2, 3].map((i) => limiter.check(`secret ${i}`)));
  const failures = await heard<FailureMessage>("ratelimit:failure", call);
  expect(failures).toEqual([{ class: "connection" }, { class: "connection" }, { class: "connection" }]);
});

describe("ratelimit:breaker", () => {
  const scope = { prefix: "test:", policy: definePolicy({ rate: 1 }) };

  /** Wraps a backend that refuses every connection until the test mends it. */
  function broken(): { time: ManualTime; backend: ReturnType<typeof resilient>; mend: () => void } {
    const time = new ManualTime();
    let isOut = true;
    const take = async (): Promise<{ allowed: boolean; used: number }> => {
      if (isOut) throw new Error("connection refused");
      return { allowed: true, used: 0 };
    };
    const backend = resilient({ take, adjust: take, block: () => {}, reset: () => {}, close: () => {} }, {}, { time });
    return {
      time,
      backend,
      mend: () => {
        isOut = false;
      },
    };
  }

  test("reports that a breaker opens, is still open after each failed probe, and closes", async () => {
    const { time, backend, mend } = broken();
    const messages = await heard<BreakerMessage>("ratelimit:breaker", async () => {
      await backend.take(scope, "key", 1);
      await time.pass(500);
      mend();
      await time.pass(1000);
    });
    expect(messages.map(({ isOpen }) => isOpen)).toEqual([true, true, false]);
    expect(new Set(messages.map(({ breaker }) => breaker)).size).toBe(1);
    expect(messages.map(({ server }) => server)).toEqual(["", "", ""]);
  });

  test("reports an open breaker as closed when its backend is closed, and nothing of a closed one", async () => {
    const [out, fine] = [broken(), broken()];
    fine.mend();
    const messages = await heard<BreakerMessage>("ratelimit:breaker", async () => {
      for (const { backend } of [out, fine]) {
        await backend.take(scope, "key", 1);
        await backend.close();
      }
    });
    expect(messages.map(({ isOpen }) => isOpen)).toEqual([true, false]);
  });
});
