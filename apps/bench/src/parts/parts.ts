import { MemoryBackend } from "@ratelimit/backend-memory";
import { RateLimiter } from "@ratelimit/core";
import { definePolicy } from "@ratelimit/core/backend";
import { asyncChecker, type Checker, syncChecker } from "../memory/checker.ts";

/** A step of a check, together with all the steps that it includes. */
export interface Part {
  readonly name: string;
  /** To get the time of this step alone, subtract the time of these parts. */
  readonly without: readonly PartId[];
  readonly make: (keys: number) => Checker;
}

export type PartId = "loop" | "clock" | "lookup" | "take" | "checkSync" | "check";

/** One token per millisecond, so that no bucket is ever empty. */
const rule = { rate: 1, period: "1ms", burst: 1e9 } as const;
/** More tokens than drain during a run, so that every bucket stays in use. */
const preloadedTokens = 600_000;

/** Results are stored here, so that the compiler cannot optimize them away. */
const last: { result: unknown } = { result: undefined };

export const parts: Readonly<Record<PartId, Part>> = {
  loop: { name: "the loop of the bench", without: [], make: () => syncChecker((key) => key, keep) },
  clock: { name: "clock: `performance.now()`", without: ["loop"], make: () => syncChecker(() => performance.now(), keep) },
  lookup: {
    name: "lookup: a Map, read and written",
    without: ["loop"],
    make: () => {
      const buckets = new Map<string, number>();
      const use = (key: string): number => {
        const fullAt = (buckets.get(key) ?? preloadedTokens) + 1;
        buckets.set(key, fullAt);
        return fullAt;
      };
      return syncChecker(use, keep, use);
    },
  },
  take: {
    name: "arithmetic: the rest of `backend.take`",
    without: ["clock", "lookup"],
    make: (keys) => {
      const backend = new MemoryBackend({ maxKeys: 2 * keys });
      const scope = { prefix: "bench:", policy: definePolicy(rule) };
      return syncChecker(
        (key) => backend.take(scope, key, 1),
        keep,
        (key) => backend.take(scope, key, preloadedTokens),
      );
    },
  },
  checkSync: {
    name: "result: checking the call, and an object with 12 fields",
    without: ["take"],
    make: (keys) => {
      const { limiter, preload } = preloaded(keys);
      return syncChecker((key) => limiter.checkSync(key), keep, preload);
    },
  },
  check: {
    name: "promise: `await check` instead of `checkSync`",
    without: ["checkSync"],
    make: (keys) => {
      const { limiter, preload } = preloaded(keys);
      return asyncChecker((key) => limiter.check(key), keep, preload);
    },
  },
};

function preloaded(keys: number): { limiter: RateLimiter<MemoryBackend>; preload: (key: string) => void } {
  const limiter = new RateLimiter({ ...rule, backend: new MemoryBackend({ maxKeys: 2 * keys }) });
  return { limiter, preload: (key) => void limiter.checkSync(key, { cost: preloadedTokens }) };
}

function keep(result: unknown): true {
  last.result = result;
  return true;
}
