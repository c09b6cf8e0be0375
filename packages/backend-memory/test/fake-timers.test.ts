import { setTimeout as sleep } from "node:timers/promises";
import { MemoryBackend } from "@ratelimit/backend-memory";
import { RateLimiter } from "@ratelimit/core";
import { afterEach, expect, test, vi } from "vitest";

afterEach(() => void vi.useRealTimers());

const limiterOn = (backend: MemoryBackend): RateLimiter<MemoryBackend> => new RateLimiter({ rate: 1, period: 60, backend });

test("under fake timers every call is answered", async () => {
  const limiter = limiterOn(new MemoryBackend());
  vi.useFakeTimers();
  expect(limiter.checkSync("a").allowed).toBe(true);
  expect((await limiter.check("a")).allowed).toBe(false);
  await expect(limiter.enforce("a")).rejects.toMatchObject({ code: "EXCEEDED" });
  await limiter.reset("a");
  expect((await limiter.wait("a")).allowed).toBe(true);
});

test("a backend made before fake timers keeps using the clock of the process", () => {
  const limiter = limiterOn(new MemoryBackend());
  limiter.checkSync("a");
  vi.useFakeTimers();
  vi.advanceTimersByTime(60_000);
  expect(limiter.checkSync("a").allowed).toBe(false);
});

test("a backend made under fake timers uses the clock of the process too", async () => {
  vi.useFakeTimers({ toFake: ["Date", "performance"] });
  const limiter = new RateLimiter({ rate: 1, period: "100ms", backend: new MemoryBackend() });
  limiter.checkSync("a");
  vi.useRealTimers();
  expect(limiter.checkSync("a").allowed).toBe(false);
  await sleep(105);
  expect(limiter.checkSync("a").allowed).toBe(true);
});
