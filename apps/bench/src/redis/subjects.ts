import { setTimeout as sleep } from "node:timers/promises";
import FastifyStore from "@fastify/rate-limit/store/RedisStore.js";
import { RedisBackend } from "@ratelimit/backend-redis";
import { RateLimiter } from "@ratelimit/core";
import { Ratelimit } from "@upstash/ratelimit";
import type { Options } from "express-rate-limit";
import { Cluster, Redis } from "ioredis";
import KoaLimiter from "koa-ratelimit/limiter/redis.js";
import { RedisStore as ErlStore, type RedisReply } from "rate-limit-redis";
import { RateLimiterRedis } from "rate-limiter-flexible";
import { type RedisChecker, redisChecker } from "./checker.ts";
import { upstashClient } from "./upstash.ts";

/** The addresses of the servers: one, or the nodes of a Cluster. */
export type Address = { readonly host: string; readonly port: number };
export type Servers = readonly [Address, ...Address[]];

/** One limit for all libraries: token buckets use `rate`, `periodMs` and `burst`; fixed windows use `burst` per `windowMs`. */
export interface Rule {
  readonly rate: number;
  readonly periodMs: number;
  readonly burst: number;
  readonly windowMs: number;
  /** The prefix of all keys. */
  readonly prefix: string;
}

export interface RedisSubject {
  readonly name: string;
  /** Whether it works on a Cluster. */
  readonly cluster: boolean;
  readonly make: (servers: Servers, rule: Rule) => RedisChecker;
}

/** On a busy machine, Redis may sometimes answer late. A run with more local decisions than one in 1000 is invalid. */
const oneIn = 1000;

export const redisSubjects = {
  ours: { name: "@ratelimit", cluster: true, make: (servers, rule) => ours(servers, rule, false) },
  oursCached: { name: "@ratelimit, deny cache (its default)", cluster: true, make: (servers, rule) => ours(servers, rule, true) },
  rlf: { name: "rate-limiter-flexible", cluster: true, make: (servers, rule) => flexible(servers, rule, {}) },
  rlfBlocking: {
    name: "rate-limiter-flexible, inMemoryBlockOnConsumed",
    cluster: true,
    make: (servers, rule) =>
      flexible(servers, rule, { inMemoryBlockOnConsumed: rule.burst, inMemoryBlockDuration: Math.ceil(rule.windowMs / 1000) }),
  },
  erl: {
    name: "rate-limit-redis",
    cluster: false,
    make: ([server], { burst, windowMs, prefix }) => {
      const client = new Redis(server);
      const store = new ErlStore({
        prefix: `${prefix}:`,
        sendCommand: (command: string, ...args: string[]) => client.call(command, ...args) as Promise<RedisReply>,
      });
      const ready = store.init({ windowMs } as Options);
      return redisChecker(
        (key) => store.increment(key),
        ({ totalHits }) => totalHits <= burst,
        () => ready,
      );
    },
  },
  fastify: {
    name: "@fastify/rate-limit",
    cluster: false,
    make: ([server], { burst, windowMs, prefix }) => {
      const store = new FastifyStore(false, false, new Redis(server), `${prefix}:`);
      const increment = (key: string): Promise<number> =>
        new Promise((resolve, reject) => {
          store.incr(key, (error, state) => (error ? reject(error) : resolve(state?.current ?? 0)), windowMs, burst);
        });
      return redisChecker(increment, (current) => current <= burst);
    },
  },
  koa: {
    name: "koa-ratelimit (a set member per call: at most 100)",
    cluster: false,
    make: ([server], { burst, windowMs, prefix }) => {
      const db = new Redis(server);
      const max = Math.min(burst, 100);
      return redisChecker(
        (id) => new KoaLimiter({ id, db, max, duration: windowMs, namespace: prefix }).get(),
        ({ remaining }) => max < burst || remaining > 0,
      );
    },
  },
  upstash: {
    name: "@upstash/ratelimit token bucket, over ioredis",
    cluster: false,
    make: (servers, rule) => upstash(servers, rule, false),
  },
  upstashCached: {
    name: "@upstash/ratelimit token bucket, ephemeralCache",
    cluster: false,
    make: (servers, rule) => upstash(servers, rule, new Map()),
  },
} as const satisfies Record<string, RedisSubject>;

export type RedisSubjectId = keyof typeof redisSubjects;

function ours(servers: Servers, { rate, periodMs, burst, prefix }: Rule, denyCache: boolean): RedisChecker {
  const [{ host, port }, ...others] = servers;
  const backend =
    others.length > 0 ? new RedisBackend({ cluster: servers, denyCache }) : new RedisBackend({ url: `redis://${host}:${port}`, denyCache });
  const limiter = new RateLimiter({ rate, period: `${periodMs}ms`, burst, backend, name: prefix, keyPrefix: "" });
  let [calls, alone] = [0, 0];
  return redisChecker(
    (key) => limiter.check(key),
    ({ allowed, degraded }) => {
      calls++;
      if (degraded && ++alone > 8 + calls / oneIn) throw new Error("Redis did not decide");
      return allowed;
    },
    async () => {
      while ((await limiter.peek("ready")).degraded) await sleep(50);
    },
  );
}

function flexible(servers: Servers, { burst, windowMs, prefix }: Rule, more: object): RedisChecker {
  const storeClient = servers.length > 1 ? new Cluster([...servers]) : new Redis(servers[0]);
  const limiter = new RateLimiterRedis({ storeClient, points: burst, duration: windowMs / 1000, keyPrefix: prefix, ...more });
  return redisChecker(
    (key) => limiter.consume(key),
    () => true,
  );
}

function upstash([server]: Servers, { rate, periodMs, burst, prefix }: Rule, ephemeralCache: Map<string, number> | false): RedisChecker {
  const limiter = Ratelimit.tokenBucket(rate, `${periodMs} ms`, burst);
  const ratelimit = new Ratelimit({ redis: upstashClient(new Redis(server)), limiter, prefix, ephemeralCache, analytics: false });
  return redisChecker(
    (key) => ratelimit.limit(key),
    ({ success }) => success,
  );
}
