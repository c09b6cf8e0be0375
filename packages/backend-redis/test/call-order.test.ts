import { randomUUID } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { MemoryBackend } from "@ratelimit/backend-memory";
import { RedisBackend } from "@ratelimit/backend-redis";
import { ManualClock, RateLimiter, type RateLimitResult } from "@ratelimit/core";
import { startCluster, startStandalone } from "@ratelimit/testbed";
import fc from "fast-check";
import { Cluster, Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Library, type Opened, patientLibraries } from "./support/libraries.ts";
import { strict } from "./support/strict.ts";

const seed = Number(process.env["FAST_CHECK_SEED"] ?? Date.now()) | 0;
process.stdout.write(`order: FAST_CHECK_SEED=${seed}\n`);

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

/** A server or Cluster that only this file uses, because another client could make it learn the script at any moment. */
interface Target {
  open({ standalone, cluster }: Library): Promise<Opened>;
  /** Makes Redis forget its scripts. */
  flush(): Promise<unknown>;
  stop(): Promise<void>;
}

async function oneServer(): Promise<Target> {
  const server = await startStandalone();
  const admin = new Redis(server.url);
  return {
    open: ({ standalone }) => standalone(server.server.address),
    flush: () => admin.script("FLUSH"),
    async stop() {
      admin.disconnect();
      await server.stop();
    },
  };
}

async function cluster(): Promise<Target> {
  const nodes = await startCluster({ replicas: 0 });
  const admin = new Cluster([...nodes.addresses]);
  await admin.ping();
  return {
    open: ({ cluster }) => cluster(nodes.addresses),
    flush: () => Promise.all(admin.nodes("master").map((node) => node.script("FLUSH"))),
    async stop() {
      admin.disconnect();
      await nodes.stop();
    },
  };
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

describe.each([
  ["one server", oneServer],
  ["a Cluster", cluster],
] as const)("calls on one key take effect in the order they were made, even while Redis forgets its scripts, on %s", (_, start) => {
  let target: Target;
  beforeAll(async () => {
    target = await start();
  }, 30_000);
  afterAll(() => target.stop());

  test.each(patientLibraries.map((library) => [library.name, library] as const))("through %s", { timeout: 60_000 }, async (_, library) => {
    await target.flush();
    await using opened = await target.open(library);
    const { client } = opened;
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
          if (one.next === "flush") flushed.push(target.flush());
          if (one.next !== "nothing") await turn();
        }
        expect((await Promise.all(answers)).map(figures)).toEqual(expected);
        memory.close();
      }),
      { seed, numRuns: 60 },
    );
    await Promise.all(flushed);
  });
});
