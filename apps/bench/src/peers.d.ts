// Types for the parts of other libraries that we use and that come without types.

declare module "koa-ratelimit" {
  import type { Redis } from "ioredis";
  import type { Middleware } from "koa";

  export default function ratelimit(options: {
    driver: "memory" | "redis";
    db: Map<string, unknown> | Redis;
    duration: number;
    max: number;
    id?: (context: { get(header: string): string }) => string;
  }): Middleware;
}

declare module "koa-ratelimit/limiter/memory.js" {
  export default class Limiter {
    constructor(options: { id: string; db: Map<string, unknown>; max: number; duration: number });
    get(): Promise<{ remaining: number }>;
  }
}

declare module "koa-ratelimit/limiter/redis.js" {
  import type { Cluster, Redis } from "ioredis";

  export default class Limiter {
    constructor(options: { id: string; db: Redis | Cluster; max: number; duration: number; namespace: string });
    get(): Promise<{ remaining: number }>;
  }
}

declare module "@fastify/rate-limit/store/LocalStore.js" {
  export default class LocalStore {
    constructor(continueExceeding: boolean, exponentialBackoff: boolean, cache: number);
    incr(key: string, callback: (error: Error | null, state: { current: number }) => void, windowMs: number, max: number): void;
  }
}

declare module "@fastify/rate-limit/store/RedisStore.js" {
  import type { Cluster, Redis } from "ioredis";

  export default class RedisStore {
    constructor(continueExceeding: boolean, exponentialBackoff: boolean, redis: Redis | Cluster, prefix: string);
    incr(key: string, callback: (error: Error | null, state: { current: number } | null) => void, windowMs: number, max: number): void;
  }
}
