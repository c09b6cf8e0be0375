import { createHook } from "node:async_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { MemoryBackend } from "@ratelimit/backend-memory";
import { ManualClock, RateLimiter } from "@ratelimit/core";
import { describe, expect, test, vi } from "vitest";

/** The sweep runs on a real timer, and a pass over the table takes at least a second. */
const [patienceMs, checkEveryMs] = [15_000, 20];

async function emptied(backend: MemoryBackend): Promise<void> {
  await vi.waitFor(() => expect(backend.stats.keys).toBe(0), { timeout: patienceMs, interval: checkEveryMs });
}

describe.concurrent("a bucket that is full again is freed", () => {
  test("without another call on its key", async () => {
    const backend = new MemoryBackend();
    const limiters = ["a", "b", "c"].map((name) => new RateLimiter({ rate: 100, period: 1, burst: 5, name, backend }));
    for (const limiter of limiters) for (let i = 0; i < 1000; i++) limiter.checkSync(`key-${i}`, { cost: 3 });
    expect(backend.stats.keys).toBe(3000);
    await emptied(backend);
    expect(backend.stats.evictions).toBe(0);
    for (const limiter of limiters) expect(limiter.checkSync("key-1").remaining).toBe(4);
    await emptied(backend);
  });

  test("while others are kept", async () => {
    const clock = new ManualClock();
    const backend = new MemoryBackend({ clock });
    const [quick, slow] = [
      new RateLimiter({ rate: 10, period: 1, name: "quick", backend }),
      new RateLimiter({ rate: 10, period: "1h", name: "slow", backend }),
    ];
    for (let i = 0; i < 100; i++) {
      quick.checkSync(`key-${i}`);
      slow.checkSync(`key-${i}`);
    }
    clock.advance(99);
    await sleep(1500);
    expect(backend.stats.keys).toBe(200);
    clock.advance(1);
    await vi.waitFor(() => expect(backend.stats.keys).toBe(100), { timeout: patienceMs, interval: checkEveryMs });
    expect(slow.checkSync("key-1").remaining).toBe(8);
    backend.close();
  });

  test("only when all of its limits are full", async () => {
    const clock = new ManualClock();
    const backend = new MemoryBackend({ clock });
    const limiter = new RateLimiter({
      limits: [
        { name: "a", rate: 10, period: 1 },
        { name: "b", rate: 1, period: 1 },
      ],
      backend,
    });
    limiter.checkSync("key");
    clock.advance(999);
    await sleep(1200);
    expect(backend.stats.keys).toBe(1);
    clock.advance(1);
    await emptied(backend);
  });
});

test("all keys of all limiters share one timer, and none remains after close", async () => {
  const backend = new MemoryBackend();
  const limiters = ["a", "b", "c"].map((name) => new RateLimiter({ rate: 10, period: "1s", name, backend }));
  const begun = await timersOf(() => {
    for (const limiter of limiters) for (let i = 0; i < 1000; i++) limiter.checkSync(`key-${i}`);
  });
  backend.close();
  expect([begun, await timersOf(() => sleep(1200))]).toEqual([1, 1]);
});

/** Returns how many timers start while `act` runs. */
async function timersOf(act: () => unknown): Promise<number> {
  let begun = 0;
  const hook = createHook({
    init(_, type) {
      if (type === "Timeout") begun++;
    },
  }).enable();
  await act();
  hook.disable();
  return begun;
}
