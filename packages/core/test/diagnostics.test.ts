import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { type DecisionMessage, type EvictMessage, ManualClock, RateLimiter } from "@ratelimit/core";
import { BucketTable } from "@ratelimit/core/backend";
import { describe, expect, test } from "vitest";
import { LateBackend, tableBackend } from "./support/backends.ts";
import { warningsOf } from "./support/warnings.ts";

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
    for (const { scope, durationMs } of messages) {
      expect([scope.prefix, scope.policy]).toEqual(["ratelimit:api:", limiter.policy]);
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
