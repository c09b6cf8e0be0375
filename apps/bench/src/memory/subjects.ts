import LocalStore from "@fastify/rate-limit/store/LocalStore.js";
import { MemoryBackend } from "@ratelimit/backend-memory";
import { RateLimiter, type RateLimitResult } from "@ratelimit/core";
import { MemoryStore, type Options } from "express-rate-limit";
import KoaLimiter from "koa-ratelimit/limiter/memory.js";
import { TokenBucket } from "limiter";
import { RateLimiterMemory } from "rate-limiter-flexible";
import { asyncChecker, type Checker, syncChecker } from "./checker.ts";

/** One limit for all libraries: token buckets use `rate`, `periodMs` and `burst`; fixed windows use `burst` per `windowMs`. */
export interface Rule {
  readonly rate: number;
  readonly periodMs: number;
  readonly burst: number;
  readonly windowMs: number;
  /** The number of keys that must fit. */
  readonly keys: number;
}

export interface Subject {
  readonly name: string;
  readonly make: (rule: Rule) => Checker;
}

/** Results are stored here, so that the compiler cannot optimize them away. */
const last: { result: RateLimitResult | undefined } = { result: undefined };

/** The number of tokens that a preloaded key has used. */
const preloadedTokens = 600_000;

export const subjects = {
  check: {
    name: "@ratelimit `await check`",
    make: (rule) => {
      const limiter = ours(rule);
      return asyncChecker((key) => limiter.check(key), keep, preloader(limiter, rule));
    },
  },
  checkSync: {
    name: "@ratelimit `checkSync`",
    make: (rule) => {
      const limiter = ours(rule);
      return syncChecker((key) => limiter.checkSync(key), keep, preloader(limiter, rule));
    },
  },
  fraction: {
    name: "@ratelimit `checkSync`, 7 tokens in 3 ms",
    make: (rule) => {
      const limiter = ours({ ...rule, rate: rule.rate * 7, periodMs: rule.periodMs * 3 });
      return syncChecker((key) => limiter.checkSync(key), keep, preloader(limiter, rule));
    },
  },
  rlf: {
    name: "rate-limiter-flexible RateLimiterMemory",
    make: ({ burst, windowMs }) => {
      const limiter = new RateLimiterMemory({ points: burst, duration: windowMs / 1000 });
      return asyncChecker(
        (key) => limiter.consume(key),
        () => true,
      );
    },
  },
  erl: {
    name: "express-rate-limit MemoryStore",
    make: ({ burst, windowMs }) => {
      const store = new MemoryStore();
      store.init({ windowMs } as Options);
      return asyncChecker(
        (key) => store.increment(key),
        ({ totalHits }) => totalHits <= burst,
      );
    },
  },
  fastify: {
    name: "@fastify/rate-limit LocalStore, with a higher cap",
    make: ({ burst, windowMs, keys }) => {
      const store = new LocalStore(false, false, keys);
      let current = 0;
      const onIncrement = (_error: Error | null, state: { current: number }): void => {
        current = state.current;
      };
      return syncChecker(
        (key) => store.incr(key, onIncrement, windowMs, burst),
        () => current <= burst,
      );
    },
  },
  koa: {
    name: "koa-ratelimit memory Limiter",
    make: ({ burst, windowMs }) => {
      const db = new Map<string, unknown>();
      return asyncChecker(
        (id) => new KoaLimiter({ id, db, max: burst, duration: windowMs }).get(),
        ({ remaining }) => remaining > 0,
      );
    },
  },
  limiter: {
    name: "limiter TokenBucket in a Map (returns a boolean)",
    make: ({ rate, periodMs, burst }) => {
      const buckets = new Map<string, TokenBucket>();
      const bucketOf = (key: string): TokenBucket => {
        const bucket = new TokenBucket({ bucketSize: burst, tokensPerInterval: rate, interval: periodMs });
        bucket.content = burst;
        buckets.set(key, bucket);
        return bucket;
      };
      return syncChecker((key) => (buckets.get(key) ?? bucketOf(key)).tryRemoveTokens(1), Boolean);
    },
  },
  map: {
    name: "a bare Map loop (returns a boolean, never frees memory)",
    make: (rule) => {
      const { use, preload } = bareMap(rule);
      return syncChecker(use, (admitted) => admitted, preload);
    },
  },
  mapAwaited: {
    name: "the same with an await",
    make: (rule) => {
      const { use, preload } = bareMap(rule);
      return asyncChecker(
        async (key) => ({ admitted: use(key) }),
        ({ admitted }) => admitted,
        preload,
      );
    },
  },
} as const satisfies Record<string, Subject>;

export type SubjectId = keyof typeof subjects;

/** The least that any limiter must do: read the clock, find the bucket and change it. */
function bareMap({ rate, periodMs, burst }: Rule): { use: (key: string) => boolean; preload: (key: string) => void } {
  const buckets = new Map<string, { fullAt: number }>();
  const tokenMs = periodMs / rate;
  const limit = burst * tokenMs;
  const take = (key: string, tokens: number): boolean => {
    const now = performance.now();
    const bucket = buckets.get(key);
    const fullAt = Math.max(bucket?.fullAt ?? 0, now) + tokens * tokenMs;
    if (fullAt - now > limit) return false;
    if (bucket === undefined) buckets.set(key, { fullAt });
    else bucket.fullAt = fullAt;
    return true;
  };
  return { use: (key) => take(key, 1), preload: (key) => void take(key, Math.min(burst, preloadedTokens)) };
}

function ours({ rate, periodMs, burst, keys }: Rule): RateLimiter<MemoryBackend> {
  return new RateLimiter({ rate, period: `${periodMs}ms`, burst, backend: new MemoryBackend({ maxKeys: 2 * keys }) });
}

function preloader(limiter: RateLimiter<MemoryBackend>, { burst }: Rule): (key: string) => void {
  const cost = Math.min(burst, preloadedTokens);
  return (key) => {
    limiter.checkSync(key, { cost });
  };
}

function keep(result: RateLimitResult): boolean {
  last.result = result;
  return result.allowed;
}
