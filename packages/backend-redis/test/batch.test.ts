import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { MemoryBackend } from "@ratelimit/backend-memory";
import { RedisBackend } from "@ratelimit/backend-redis";
import { definePolicy, ManualClock } from "@ratelimit/core";
import type { BackendReply, KeyScope } from "@ratelimit/core/backend";
import type {} from "@ratelimit/testbed";
import fc from "fast-check";
import { Redis } from "ioredis";
import { afterAll, expect, inject, test } from "vitest";
import { frozen } from "./support/frozen.ts";
import { strictAsked } from "./support/strict.ts";

const seed = Number(process.env["FAST_CHECK_SEED"] ?? Date.now()) | 0;

const redis = new Redis(inject("redis").url);
afterAll(() => redis.disconnect());

/** One call of a turn. A turn mixes two policies and more keys than one script takes, and most calls repeat the previous one. */
interface Call {
  readonly policy: 0 | 1;
  readonly key: string;
  readonly cost: number;
  readonly times: number;
}

const calls: fc.Arbitrary<Call[]> = fc.array(
  fc.record({
    policy: fc.constantFrom(0 as const, 1 as const),
    key: fc.oneof(fc.constantFrom("a", "b"), fc.integer({ min: 1, max: 30 }).map(String)),
    cost: fc.oneof(fc.constantFrom(0, 1, 2, 3), fc.constant(9)),
    times: fc.constantFrom(1, 1, 2, 5),
  }),
  { minLength: 2, maxLength: 80, size: "max" },
);

const policies = [definePolicy({ rate: 7, burst: 8 }), definePolicy({ rate: 3, period: 1 })];

const decisionOf = ({ allowed, used }: BackendReply): Pick<BackendReply, "allowed" | "used"> => ({ allowed, used });

test("calls of one turn are answered as if each had been made alone, in order", { timeout: 60_000 }, async () => {
  process.stdout.write(`batch: FAST_CHECK_SEED=${seed}\n`);
  const { client } = frozen(redis);
  let scripts = 0;
  const counting: typeof client = {
    ...client,
    evalsha: (...call) => {
      scripts++;
      return client.evalsha(...call);
    },
  };
  const backend = new RedisBackend({ client: counting, ...strictAsked });
  let answered = 0;
  await fc.assert(
    fc.asyncProperty(calls, async (turn) => {
      const memory = new MemoryBackend({ clock: new ManualClock() });
      const run = randomUUID();
      const scopes: KeyScope[] = policies.map((policy, i) => ({ prefix: `ratelimit:${run}${i}:`, policy }));
      for (const scope of scopes) await backend.take(scope, "first", 0);
      const each = turn.flatMap(({ times, ...call }) => Array.from({ length: times }, () => call));
      const expected = each.map(({ policy, key, cost }) => decisionOf(memory.take(scopes[policy] as KeyScope, key, cost)));
      const answers = await Promise.all(each.map(async ({ policy, key, cost }) => backend.take(scopes[policy] as KeyScope, key, cost)));
      assert.deepEqual(answers.map(decisionOf), expected);
      memory.close();
      answered += each.length;
    }),
    { seed, numRuns: 150 },
  );
  expect(scripts).toBeLessThan(answered / 3);
});
