import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { MemoryBackend } from "@ratelimit/backend-memory";
import { Oracle } from "@ratelimit/conformance";
import { ManualClock, type Policy, type Scope, type Take } from "@ratelimit/core";
import type {} from "@ratelimit/testbed";
import fc from "fast-check";
import { Redis } from "ioredis";
import { afterAll, expect, inject, test } from "vitest";
import { RedisBackend } from "../src/index.ts";
import { frozen } from "./support/frozen.ts";
import { strictAsked } from "./support/strict.ts";
import { type LimitSpec, policyOf, type Step, type Trace, traces } from "./support/traces.ts";

const [runs, together, length] = [115, 4, 110];
const steps = runs * together * length;
const seed = Number(process.env["FAST_CHECK_SEED"] ?? Date.now()) | 0;

const redis = new Redis(inject("redis").url);
afterAll(() => redis.disconnect());

/** For each of the traces that run side by side, a backend with a clock of its own. */
const subjects = Array.from({ length: together }, () => {
  const { client, clock } = frozen(redis);
  return { backend: new RedisBackend({ client, ...strictAsked }), clock };
});

/** What a call was answered, without what may be left out. */
interface Answer {
  readonly allowed: boolean;
  readonly used: readonly number[];
  readonly uncharged: number;
}

test(`memory, Redis and the oracle give the same answers to ${steps} random steps`, { timeout: 60_000 }, async () => {
  let compared = 0;
  process.stdout.write(`differential: FAST_CHECK_SEED=${seed}\n`);
  await fc.assert(
    fc.asyncProperty(fc.array(traces(length), { minLength: together, maxLength: together }), async (several) => {
      const byOracle = several.map(answersOfOracle);
      assert.deepEqual(several.map(answersOfMemory), byOracle, "memory");
      assert.deepEqual(await Promise.all(several.map(answersOfRedis)), byOracle, "Redis");
      compared += byOracle.flat().length;
    }),
    { seed, numRuns: runs },
  );
  // Most steps ask; the others move the clock, the policy or the bucket.
  expect(compared).toBeGreaterThan(steps * 0.5);
});

function answersOfOracle({ policies, steps }: Trace): Answer[] {
  const oracle = new Oracle();
  return steps.flatMap((step, i): Answer[] => {
    const limits = policyAt(policies, steps, i);
    if (step.do === "pass") oracle.advance(step.ms);
    if (step.do === "reset") oracle.reset();
    if (step.do !== "take" && step.do !== "adjust") return [];
    const { allowed, uncharged, ...expected } = step.do === "take" ? oracle.take(limits, step.tokens) : oracle.adjust(limits, step.tokens);
    return [{ allowed, uncharged, used: expected.limits.map(({ used }) => used) }];
  });
}

/** In one turn of the event loop, so that no sweep comes between. */
function answersOfMemory({ policies, steps }: Trace): Answer[] {
  const time = new ManualClock();
  const memory = new MemoryBackend({ clock: time });
  const compiled = policies.map(policyOf);
  const answers = steps.flatMap((step, i): Answer[] => {
    const scope = scopeOf("", policyAt(compiled, steps, i));
    if (step.do === "pass") time.advance(step.ms);
    if (step.do === "reset") memory.reset(scope, "key");
    if (step.do === "take") return [answer(memory.take(scope, "key", step.tokens))];
    return step.do === "adjust" ? [answer(memory.adjust(scope, "key", step.tokens))] : [];
  });
  memory.close();
  return answers;
}

async function answersOfRedis({ policies, steps }: Trace, i: number): Promise<Answer[]> {
  const { backend, clock } = subjects[i] as (typeof subjects)[number];
  const prefix = `ratelimit:${randomUUID()}:`;
  const compiled = policies.map((limits) => scopeOf(prefix, policyOf(limits)));
  const answers: Answer[] = [];
  for (const [at, step] of steps.entries()) {
    const scope = policyAt(compiled, steps, at);
    if (step.do === "pass") clock.advance(step.ms);
    if (step.do === "reset") await backend.reset(scope, "key");
    if (step.do === "take") answers.push(answer(await backend.take(scope, "key", step.tokens)));
    if (step.do === "adjust") answers.push(answer(await backend.adjust(scope, "key", step.tokens)));
  }
  return answers;
}

/** The policy that holds at step i. */
function policyAt<T extends Policy | Scope | readonly LimitSpec[]>(policies: readonly T[], steps: readonly Step[], i: number): T {
  const change = steps.slice(0, i + 1).findLast((step) => step.do === "policy");
  return policies[(change?.to ?? 0) % policies.length] as T;
}

function scopeOf(prefix: string, policy: Policy): Scope {
  return { prefix, policy };
}

function answer({ allowed, used, uncharged = 0 }: Take): Answer {
  return { allowed, used: [used].flat(), uncharged };
}
