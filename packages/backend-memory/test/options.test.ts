import { MemoryBackend, type MemoryBackendOptions, sharedMemoryBackend } from "@ratelimit/backend-memory";
import { ManualClock, RateLimitError, RateLimiter } from "@ratelimit/core";
import { describe, expect, expectTypeOf, test } from "vitest";

function refusalOf(options: unknown): { code: string; message: string } {
  try {
    new MemoryBackend(options as MemoryBackendOptions);
  } catch (error) {
    if (error instanceof RateLimitError) return { code: error.code, message: error.message };
  }
  throw new Error("Expected the constructor to throw");
}

describe("an invalid option is rejected", () => {
  test.each<[unknown, string]>([
    [{ maxKeys: 0 }, "Expected `maxKeys` to be a positive integer, got 0: leave it out for 100,000"],
    [{ maxKeys: -1 }, "Expected `maxKeys` to be a positive integer, got -1"],
    [{ maxKeys: Number.NaN }, "Expected `maxKeys` to be a positive integer, got NaN"],
    [{ maxKeys: Number.POSITIVE_INFINITY }, "Expected `maxKeys` to be a positive integer, got Infinity"],
    [{ maxKeys: 1.5 }, "Expected `maxKeys` to be a positive integer, got 1.5"],
    [{ maxKeys: "100" }, 'Expected `maxKeys` to be a positive integer, got "100"'],
    [{ maxKeys: null }, "Expected `maxKeys` to be a positive integer, got null"],
    [{ maxKeys: 10n }, "Expected `maxKeys` to be a positive integer, got 10n"],
    [{ maxKeys: true }, "Expected `maxKeys` to be a positive integer, got true"],
    [{ maxKeys: 2 ** 53 }, "Expected `maxKeys` to be a positive integer, got 9007199254740992"],
    [{ clock: {} }, "Expected `clock` to be a clock with now(), got an object: leave it out, or write clock: new ManualClock()"],
    [{ clock: Date.now }, "Expected `clock` to be a clock with now(), got a function"],
    [{ clock: null }, "Expected `clock` to be a clock with now(), got null"],
    [{ clock: { now: () => Number.NaN } }, "Expected `clock` to be a clock whose now() is a finite number of milliseconds, got NaN"],
    [{ clock: { now: () => 5n } }, "got 5n"],
    [{ maxkeys: 5 }, "Unknown option `maxkeys`: did you mean `maxKeys`?"],
    [{ ttl: 5 }, "Unknown option `ttl`"],
    [JSON.parse('{"__proto__":{"maxKeys":5}}'), "Unknown option `__proto__`"],
    [Object.create({ maxKeys: "5" }), 'Expected `maxKeys` to be a positive integer, got "5"'],
    [null, "Expected `options` to be an object of options, got null"],
    [[], "Expected `options` to be an object of options"],
    [100, "Expected `options` to be an object of options, got 100"],
  ])("%o", (options, message) => {
    const refusal = refusalOf(options);
    expect([refusal.code, refusal.message]).toEqual(["INVALID_OPTION", expect.stringContaining(message)]);
  });

  test("together with all other problems", () => {
    expect(refusalOf({ maxKeys: 0, clock: 0, size: 1 }).message).toMatch(/^3 problems:(\n {2}- .*){3}$/);
  });
});

test.each([
  undefined,
  {},
  { maxKeys: undefined, clock: undefined },
  Object.freeze({ maxKeys: 1 }),
  { clock: new ManualClock() },
  { clock: Date },
])("%o is accepted", (options) => {
  expect(new MemoryBackend(options).stats).toEqual({ keys: 0, evictions: 0 });
});

test("the backend is synchronous, so that checkSync compiles", () => {
  const limiter = new RateLimiter({ rate: 5, backend: new MemoryBackend() });
  expect(limiter.checkSync("key").remaining).toBe(4);
  expectTypeOf(limiter.backend).toEqualTypeOf<MemoryBackend>();
});

test("the process has a single shared backend", () => {
  expect(sharedMemoryBackend()).toBe(sharedMemoryBackend());
  expect(sharedMemoryBackend()).toBeInstanceOf(MemoryBackend);
});

describe("closing", () => {
  test("works through `using` and `await using`", async () => {
    const backend = new MemoryBackend();
    new RateLimiter({ rate: 5, backend }).checkSync("key");
    backend[Symbol.dispose]();
    expect(backend.stats.keys).toBe(0);
    await backend[Symbol.asyncDispose]();
  });

  test("forgets all buckets, and the backend counts correctly if it is used again", () => {
    const backend = new MemoryBackend({ maxKeys: 4, clock: new ManualClock() });
    const limiter = new RateLimiter({ rate: 5, backend });
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 50; i++) limiter.checkSync(`key-${i}`);
      expect(backend.stats.keys).toBe(4);
      const kept = Array.from({ length: 50 }, (_, i) => limiter.checkSync(`key-${i}`, { cost: 0 })).filter(
        ({ remaining }) => remaining < 5,
      );
      expect(kept).toHaveLength(4);
      backend.close();
      expect(backend.stats.keys).toBe(0);
    }
  });
});
