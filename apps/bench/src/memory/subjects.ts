import LocalStore from "@fastify/rate-limit/store/LocalStore.js";
import { MemoryBackend } from "@ratelimit/backend-memory";
import { RateLimiter, type RateLimitResult } from "@ratelimit/core";
import { MemoryStore, type Options } from "express-rate-limit";
import KoaLimiter from "koa-ratelimit/limiter/memory.js";
import { TokenBucket } from "limiter";
import { RateLimiterMemory } from "rate-limiter-flexible";
import { answering, type Checker, promising } from "./checker.ts";

/** A limit in the words of all libraries: token buckets take the first three, fixed windows `burst` per `windowMs`. */
export interface Rule {
  readonly rate: number;
  readonly periodMs: number;
  readonly burst: number;
  readonly windowMs: number;
  /** Keys that must have room. */
  readonly keys: number;
}

export interface Subject {
  readonly name: string;
  readonly make: (rule: Rule) => Checker;
}

/** Results go here, so that none is optimised away as nobody's. */
const last: { result: RateLimitResult | undefined } = { result: undefined };

/** Tokens that a settled key has used. */
const settled = 600_000;

export const subjects = {
  check: {
    name: "@ratelimit `await check`",
    make: (rule) => {
      const limiter = ours(rule);
      return promising((key) => limiter.check(key), keep, settling(limiter, rule));
    },
  },
  checkSync: {
    name: "@ratelimit `checkSync`",
    make: (rule) => {
      const limiter = ours(rule);
      return answering((key) => limiter.checkSync(key), keep, settling(limiter, rule));
    },
  },
  fraction: {
    name: "@ratelimit `checkSync`, 7 tokens in 3 ms",
    make: (rule) => {
      const limiter = ours({ ...rule, rate: rule.rate * 7, periodMs: rule.periodMs * 3 });
      return answering((key) => limiter.checkSync(key), keep, settling(limiter, rule));
    },
  },
  rlf: {
    name: "rate-limiter-flexible RateLimiterMemory",
    make: ({ burst, windowMs }) => {
      const limiter = new RateLimiterMemory({ points: burst, duration: windowMs / 1000 });
      return promising(
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
      return promising(
        (key) => store.increment(key),
        ({ totalHits }) => totalHits <= burst,
      );
    },
  },
  fastify: {
    name: "@fastify/rate-limit LocalStore, its cap raised",
    make: ({ burst, windowMs, keys }) => {
      const store = new LocalStore(false, false, keys);
      let current = 0;
      const told = (_error: Error | null, state: { current: number }): void => {
        current = state.current;
      };
      return answering(
        (key) => store.incr(key, told, windowMs, burst),
        () => current <= burst,
      );
    },
  },
  koa: {
    name: "koa-ratelimit memory Limiter",
    make: ({ burst, windowMs }) => {
      const db = new Map<string, unknown>();
      return promising(
        (id) => new KoaLimiter({ id, db, max: burst, duration: windowMs }).get(),
        ({ remaining }) => remaining > 0,
      );
    },
  },
  limiter: {
    name: "limiter TokenBucket in a Map (a boolean)",
    make: ({ rate, periodMs, burst }) => {
      const buckets = new Map<string, TokenBucket>();
      const bucketOf = (key: string): TokenBucket => {
        const bucket = new TokenBucket({ bucketSize: burst, tokensPerInterval: rate, interval: periodMs });
        bucket.content = burst;
        buckets.set(key, bucket);
        return bucket;
      };
      return answering((key) => (buckets.get(key) ?? bucketOf(key)).tryRemoveTokens(1), Boolean);
    },
  },
  map: {
    name: "a bare Map loop (a boolean, nothing given back)",
    make: (rule) => {
      const { use, settle } = bareMap(rule);
      return answering(use, (admitted) => admitted, settle);
    },
  },
  mapAwaited: {
    name: "the same behind an await",
    make: (rule) => {
      const { use, settle } = bareMap(rule);
      return promising(
        async (key) => ({ admitted: use(key) }),
        ({ admitted }) => admitted,
        settle,
      );
    },
  },
} as const satisfies Record<string, Subject>;

export type SubjectId = keyof typeof subjects;

/** The least that a limiter must do: read the clock, find the bucket, change it. */
function bareMap({ rate, periodMs, burst }: Rule): { use: (key: string) => boolean; settle: (key: string) => void } {
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
  return { use: (key) => take(key, 1), settle: (key) => void take(key, Math.min(burst, settled)) };
}

function ours({ rate, periodMs, burst, keys }: Rule): RateLimiter<MemoryBackend> {
  return new RateLimiter({ rate, period: `${periodMs}ms`, burst, backend: new MemoryBackend({ maxKeys: 2 * keys }) });
}

function settling(limiter: RateLimiter<MemoryBackend>, { burst }: Rule): (key: string) => void {
  const cost = Math.min(burst, settled);
  return (key) => {
    limiter.checkSync(key, { cost });
  };
}

function keep(result: RateLimitResult): boolean {
  last.result = result;
  return result.allowed;
}
