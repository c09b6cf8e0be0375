import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { definePolicy, type ManualClock, type Policy } from "@ratelimit/core";
import type { HandedBack } from "@ratelimit/core/backend";
import type {} from "@ratelimit/testbed";
import fc from "fast-check";
import { Redis } from "ioredis";
import { afterAll, describe, expect, inject, test } from "vitest";
import { LeaseModel } from "../../../core/test/support/lease-model.ts";
import { Connection } from "../../src/connection.ts";
import { SharedClient } from "../../src/shared-client.ts";
import { RedisStore } from "../../src/store.ts";
import { frozen } from "../support/frozen.ts";

const redis = new Redis(inject("redis").url);
afterAll(() => redis.disconnect());

const seed = Number(process.env["FAST_CHECK_SEED"] ?? Date.now()) | 0;
process.stdout.write(`FAST_CHECK_SEED=${seed}\n`);

/** The script on a real server, with a clock that the test moves. */
function subject(): { store: RedisStore; clock: ManualClock } {
  const { client, clock } = frozen(redis);
  return { store: new RedisStore(new Connection(SharedClient.of(client))), clock };
}

type Step =
  | { readonly do: "take" | "adjust"; readonly tokens: number }
  | { readonly do: "pass" | "block"; readonly ms: number }
  | { readonly do: "lease"; readonly tokens: number; readonly horizonMs: number; readonly parts: readonly (readonly [number, number])[] }
  | { readonly do: "reset" };

const policies: readonly Policy[] = [
  definePolicy({ rate: 100, period: 1, burst: 20 }),
  definePolicy({ rate: 7, period: "40ms", burst: 9 }),
  definePolicy({ rate: 7001, period: 1, burst: 4000 }),
  definePolicy({ rate: 2 ** 30, period: 1, burst: 2 ** 31 }),
  definePolicy({
    limits: [
      { name: "a", rate: 700, period: 1, burst: 90 },
      { name: "b", rate: 3, period: "10ms", burst: 60 },
      { name: "c", rate: 1000, period: 60, burst: 1000 },
    ],
  }),
  // Limits with the same numbers are one limit.
  definePolicy({
    limits: [
      { name: "a", rate: 700, period: 1, burst: 90 },
      { name: "b", rate: 700, period: 1, burst: 90 },
      { name: "c", rate: 3, period: "10ms", burst: 60 },
    ],
  }),
];

/** Tokens as a part of the burst. */
const part = fc.oneof(fc.constantFrom(0, 0.05, 0.1, 0.3, 1), fc.double({ min: 0, max: 0.5, noNaN: true }));

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant("take" as const), tokens: part }) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant("adjust" as const),
        tokens: fc.tuple(part, fc.constantFrom(1, -1)).map(([n, sign]) => n * sign),
      }),
    },
    { weight: 4, arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.oneof(fc.nat(4), fc.nat(60), fc.nat(3000)) }) },
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant("lease" as const),
        tokens: part,
        horizonMs: fc.integer({ min: 1, max: 60 }),
        parts: fc.array(fc.tuple(fc.nat(8), fc.nat(8)), { maxLength: 3 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("block" as const), ms: fc.integer({ min: 1, max: 50 }) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("reset" as const) }) },
  ),
  { minLength: 60, maxLength: 60 },
);

describe("leases in the script", () => {
  test("stay in use while calls of another policy come and go, and drain from their end on", async () => {
    const { store, clock } = subject();
    const prefix = `lease:${randomUUID()}:`;
    // A token is 10 units, and one unit drains per millisecond.
    const own = { prefix, policy: definePolicy({ rate: 100, period: 1, burst: 20 }) };
    const other = { prefix, policy: definePolicy({ rate: 1, period: 1, burst: 1000 }) };
    const { tokens } = await store.lease(own, "key", { tokens: 10, horizonMs: 50, validMs: 100, handBack: [] });
    expect(tokens).toBe(10);
    const calls = [
      () => store.take(other, "key", 3),
      () => store.adjust(other, "key", -2),
      () => store.block(other, "key", 5),
      () => store.adjust(other, "key", -1000),
      () => store.take(other, "key", 0),
    ];
    const used: number[] = [];
    for (let ms = 0; ms <= 300; ms += 10) {
      used.push((await store.take(own, "key", 0)).used as number);
      await calls[(ms / 10) % calls.length]?.();
      clock.advance(10);
    }
    // The generation lasts for 150 ms.
    expect(used).toEqual(Array.from({ length: 31 }, (_, i) => Math.max(0, Math.min(100, 250 - 10 * i))));
  });

  test("give the same answers as the model to 24,000 random steps", { timeout: 120_000 }, async () => {
    const { store, clock } = subject();
    let compared = 0;
    let granted = 0;
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...policies), steps, async (policy, steps) => {
        const scope = { prefix: `lease:${randomUUID()}:`, policy };
        const model = new LeaseModel(policy.limits);
        const burst = Math.min(...policy.limits.map(({ burst }) => burst));
        const start = clock.now();
        /** What is in hand, with the names of its generation in Redis and in the model. */
        let lots: { redis: number; model: number; tokens: number }[] = [];
        for (const step of steps) {
          if (step.do === "pass") clock.advance(step.ms);
          model.pass(clock.now() - start);
          if (step.do === "block") {
            model.block(step.ms);
            await store.block(scope, "key", step.ms);
          } else if (step.do === "reset") {
            model.reset();
            await store.reset(scope, "key");
          } else if (step.do === "take") {
            const tokens = Math.floor(step.tokens * burst);
            const allowed = model.take(tokens);
            const reply = await store.take(scope, "key", tokens);
            assert.deepEqual([reply.allowed, [reply.used].flat(), reply.blockedMs ?? 0], [allowed, model.used, model.blockedMs]);
            compared++;
          } else if (step.do === "adjust") {
            const tokens = Math.floor(step.tokens * burst);
            model.adjust(tokens);
            assert.deepEqual([(await store.adjust(scope, "key", tokens)).used].flat(), model.used);
            compared++;
          } else if (step.do === "lease") {
            const handBack = { redis: [] as HandedBack[], model: [] as HandedBack[] };
            for (const [which, unspent] of step.parts) {
              const lot = lots[which % Math.max(1, lots.length)];
              if (lot === undefined) continue;
              lots = lots.filter((other) => other !== lot);
              const sums = { held: lot.tokens, unspent: Math.floor((lot.tokens * unspent) / 8) };
              handBack.redis.push({ generation: lot.redis, ...sums });
              handBack.model.push({ generation: lot.model, ...sums });
            }
            // A lease takes at most a quarter of a bucket in advance.
            const horizonMs = Math.min(step.horizonMs, ...policy.limits.map((limit) => limit.capacityUnits / limit.unitsPerMs / 4));
            const ms = Math.max(1, Math.floor(horizonMs));
            const request = { tokens: Math.floor(step.tokens * burst), horizonMs: ms, validMs: 2 * ms };
            const expected = model.lease({ ...request, handBack: handBack.model });
            const grant = await store.lease(scope, "key", { ...request, handBack: handBack.redis });
            assert.deepEqual({ ...grant, generation: 0 }, { ...expected, generation: 0 });
            assert.equal(grant.generation === 0, expected.generation === 0);
            if (grant.tokens > 0) lots.push({ redis: grant.generation, model: expected.generation, tokens: grant.tokens });
            const known = lots.filter((lot) => lot.model === expected.generation);
            assert.ok(
              known.every((lot) => lot.redis === grant.generation),
              "it joined the same generation",
            );
            granted += grant.tokens > 0 ? 1 : 0;
            compared++;
          }
        }
      }),
      { seed, numRuns: 400 },
    );
    expect(compared).toBeGreaterThan(12_000);
    expect(granted).toBeGreaterThan(2000);
  });
});
