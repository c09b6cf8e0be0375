import { randomUUID } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { MemoryBackend } from "@ratelimit/backend-memory";
import { RedisBackend } from "@ratelimit/backend-redis";
import { ManualClock, RateLimiter, type RateLimitResult } from "@ratelimit/core";
import fc from "fast-check";
import { Cluster, Redis } from "ioredis";
import { describe, expect, inject, test } from "vitest";
import { strict } from "./support/strict.ts";

const seed = Number(process.env["FAST_CHECK_SEED"] ?? Date.now()) | 0;
process.stdout.write(`order: FAST_CHECK_SEED=${seed}\n`);

const { url, cluster } = inject("redis");
/** So slow that no token is refilled while a test runs. */
const slow = { rate: 1, period: "1d", burst: 20 } as const;

const methods = ["check", "check", "check", "peek", "refund", "charge", "reset", "block"] as const;

interface Call {
  readonly method: (typeof methods)[number];
  readonly key: string;
  readonly tokens: number;
  /** What happens between this call and the next one. */
  readonly next: "nothing" | "turn" | "flush";
}

const calls: fc.Arbitrary<Call[]> = fc.array(
  fc.record({
    method: fc.constantFrom(...methods),
    key: fc.constantFrom("a", "b"),
    tokens: fc.integer({ min: 1, max: 12 }),
    next: fc.oneof(
      { weight: 5, arbitrary: fc.constant("nothing" as const) },
      { weight: 5, arbitrary: fc.constant("turn" as const) },
      { weight: 2, arbitrary: fc.constant("flush" as const) },
    ),
  }),
  { minLength: 10, maxLength: 60, size: "max" },
);

function call(limiter: RateLimiter, { method, key, tokens }: Call): Promise<unknown> {
  if (method === "reset") return limiter.reset(key);
  if (method === "block") return limiter.block(key, "1h");
  return method === "check" || method === "peek" ? limiter[method](key, { cost: tokens }) : limiter[method](key, tokens);
}

function figures(answer: unknown): unknown {
  const { allowed, remaining } = (answer ?? {}) as Partial<RateLimitResult>;
  return [allowed, remaining];
}

describe("calls on one key take effect in the order they were made, even while Redis forgets its scripts", () => {
  test.each([
    ["one server", () => new Redis(url), (admin: Redis | Cluster) => (admin as Redis).script("FLUSH")],
    [
      "a Cluster",
      () => new Cluster([...cluster]),
      (admin: Redis | Cluster) => Promise.all((admin as Cluster).nodes("master").map((node) => node.script("FLUSH"))),
    ],
  ] as const)("%s", { timeout: 60_000 }, async (_, connect, flush) => {
    const admin = connect();
    await admin.ping();
    await flush(admin);
    const client = connect();
    const flushed: Promise<unknown>[] = [];
    await using backend = new RedisBackend({ client, ...strict });
    await fc.assert(
      fc.asyncProperty(calls, async (made) => {
        const name = randomUUID();
        const memory = new MemoryBackend({ clock: new ManualClock() });
        const expecting = new RateLimiter({ ...slow, name, backend: memory });
        const asking = new RateLimiter({ ...slow, name, backend });
        const expected: unknown[] = [];
        const answers: Promise<unknown>[] = [];
        for (const one of made) {
          expected.push(figures(await call(expecting, one)));
          answers.push(call(asking, one));
          if (one.next === "flush") flushed.push(flush(admin));
          if (one.next !== "nothing") await turn();
        }
        expect((await Promise.all(answers)).map(figures)).toEqual(expected);
        memory.close();
      }),
      { seed, numRuns: 150 },
    );
    await Promise.all(flushed);
    admin.disconnect();
    client.disconnect();
  });
});
