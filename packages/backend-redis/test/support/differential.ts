import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { MemoryBackend } from "@ratelimit/backend-memory";
import { RedisBackend } from "@ratelimit/backend-redis";
import { Oracle } from "@ratelimit/conformance";
import { type Backend, ManualClock, type Policy, resilient } from "@ratelimit/core";
import type { BackendReply, KeyScope } from "@ratelimit/core/backend";
import fc from "fast-check";
import { Redis } from "ioredis";
import { afterAll, describe, expect, test } from "vitest";
import { adapt } from "../../src/clients/adapt.ts";
import { Connection } from "../../src/connection.ts";
import { SharedClient } from "../../src/shared-client.ts";
import { RedisStore } from "../../src/store.ts";
import { timeBy } from "./clock.ts";
import { type Frozen, frozen, frozenClient } from "./frozen.ts";
import { addressOf, patientLibraries } from "./libraries.ts";
import { strict, strictAsked } from "./strict.ts";
import { type PolicySpec, policyOf, type Step, type Trace, traces } from "./traces.ts";

/** Traces that run in parallel, and the steps of each. */
const [together, length] = [4, 110];
const seed = Number(process.env["FAST_CHECK_SEED"] ?? Date.now()) | 0;

/** A backend and the clock by which its buckets fill. */
interface Subject {
  readonly backend: Pick<Backend, "take" | "adjust" | "block" | "reset">;
  readonly clock: ManualClock;
}

/** Subjects with a clock each, one for each of the traces that run in parallel. */
function subjectsOn(redis: Redis, make: (client: Frozen["client"], clock: ManualClock) => Subject["backend"]): readonly Subject[] {
  return Array.from({ length: together }, () => {
    const { client, clock } = frozen(redis);
    return { backend: make(client, clock), clock };
  });
}

let fromMemory = 0;

/** The reply to a call, with its optional fields filled in. */
interface Answer {
  readonly allowed: boolean;
  readonly used: readonly number[];
  readonly uncharged: number;
  readonly blockedMs: number;
}

/** Registers tests that compare the backends with the oracle, on `runs` times 440 random steps. */
export function differentialTests(url: string, runs: number): void {
  const redis = new Redis(url);
  // Each subject takes the connection for a client of its own, and listens to it.
  redis.setMaxListeners(0);
  afterAll(() => redis.disconnect());
  const subjects = subjectsOn(redis, (client) => new RedisBackend({ client, ...strictAsked }));
  // The same, but keys that Redis has reported as used up are refused from memory, by the same clock.
  const remembering = subjectsOn(redis, (client, clock) =>
    resilient(new RedisStore(new Connection(SharedClient.of(client))), strict, { remembersRefusals: true, time: timeBy(clock) }),
  );
  const steps = runs * together * length;
  // A step takes 50 microseconds on an idle machine of two cores, and a busy one takes several times as long.
  const timeout = 60_000 + steps / 4;

  test(`memory, Redis and the oracle give the same answers to ${steps} random steps`, { timeout }, async () => {
    let compared = 0;
    process.stdout.write(`differential: FAST_CHECK_SEED=${seed}\n`);
    await fc.assert(
      fc.asyncProperty(fc.array(traces(length), { minLength: together, maxLength: together }), async (several) => {
        const byOracle = several.map(answersOfOracle);
        assert.deepEqual(several.map(answersOfMemory), byOracle, "memory");
        assert.deepEqual(await answersOfAll(subjects, several), byOracle, "Redis");
        compared += byOracle.flat().length;
      }),
      { seed, numRuns: runs },
    );
    // Most steps ask the backend. The others change the clock, the policy or the bucket.
    expect(compared).toBeGreaterThan(steps * 0.5);
  });

  test("so do remembered refusals when calls are repeated", { timeout }, async () => {
    let compared = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(traces(length), { minLength: together, maxLength: together }), async (several) => {
        const hammered = several.map(hammering);
        const byOracle = hammered.map(answersOfOracle);
        assert.deepEqual(await answersOfAll(remembering, hammered), byOracle);
        compared += byOracle.flat().length;
      }),
      { seed, numRuns: Math.ceil(runs / 16) },
    );
    process.stdout.write(`differential: ${fromMemory} of ${compared} answers from memory\n`);
    expect(fromMemory).toBeGreaterThan(compared * 0.05);
  });
}

/** Registers the same comparison through each client library, on 10,000 random steps. */
export function clientTests(url: string): void {
  describe.each(patientLibraries)("through a client of $name", ({ standalone }) => {
    test("Redis gives the same answers as the oracle to 10,000 random steps", { timeout: 60_000 }, async () => {
      const opened = await Promise.all(Array.from({ length: together }, () => standalone(addressOf(url))));
      const subjects = opened.map(({ client: theirs }): Subject => {
        const { client, clock } = frozenClient(adapt(theirs));
        return { backend: new RedisStore(new Connection(SharedClient.owning(client))), clock };
      });
      await fc.assert(
        fc.asyncProperty(fc.array(traces(length), { minLength: together, maxLength: together }), async (several) => {
          assert.deepEqual(await answersOfAll(subjects, several), several.map(answersOfOracle));
        }),
        { seed, numRuns: Math.ceil(10_000 / together / length) },
      );
      for (const client of opened) await client[Symbol.asyncDispose]();
    });
  });
}

/** Makes every call twice at once and again 1 ms later. The clock never steps back, because the one of a process does not. */
function hammering({ policies, steps }: Trace): Trace {
  const repeated = steps.flatMap((step): Step[] => (step.do === "take" ? [step, step, { do: "pass", ms: 1 }, step] : [step]));
  return { policies, steps: repeated.filter((step) => step.do !== "pass" || step.ms >= 0) };
}

function answersOfOracle({ policies, steps }: Trace): Answer[] {
  const oracle = new Oracle();
  return steps.flatMap((step, i): Answer[] => {
    const { limits, blockMs } = policyAt(policies, steps, i);
    if (step.do === "pass") oracle.advance(step.ms);
    if (step.do === "block") oracle.block(step.ms);
    if (step.do === "reset") oracle.reset();
    if (step.do !== "take" && step.do !== "adjust") return [];
    const { allowed, uncharged, blockedMs, ...expected } =
      step.do === "take" ? oracle.take(limits, step.tokens, blockMs) : oracle.adjust(limits, step.tokens);
    return [{ allowed, uncharged, blockedMs, used: expected.limits.map(({ used }) => used) }];
  });
}

/** Runs a trace in one turn of the event loop, so that no sweep interferes. */
function answersOfMemory({ policies, steps }: Trace): Answer[] {
  const time = new ManualClock();
  const memory = new MemoryBackend({ clock: time });
  const compiled = policies.map(policyOf);
  const answers = steps.flatMap((step, i): Answer[] => {
    const scope = scopeOf("", policyAt(compiled, steps, i));
    if (step.do === "pass") time.advance(step.ms);
    if (step.do === "block") memory.block(scope, "key", step.ms);
    if (step.do === "reset") memory.reset(scope, "key");
    if (step.do === "take") return [answer(memory.take(scope, "key", step.tokens))];
    return step.do === "adjust" ? [answer(memory.adjust(scope, "key", step.tokens))] : [];
  });
  memory.close();
  return answers;
}

function answersOfAll(subjects: readonly Subject[], several: readonly Trace[]): Promise<Answer[][]> {
  return Promise.all(several.map((trace, i) => answersOfRedis(trace, subjects[i] as Subject)));
}

async function answersOfRedis({ policies, steps }: Trace, { backend, clock }: Subject): Promise<Answer[]> {
  const prefix = `ratelimit:${randomUUID()}:`;
  const compiled = policies.map((policy) => scopeOf(prefix, policyOf(policy)));
  const answers: Answer[] = [];
  for (const [at, step] of steps.entries()) {
    const scope = policyAt(compiled, steps, at);
    if (step.do === "pass") clock.advance(step.ms);
    if (step.do === "block") await backend.block(scope, "key", step.ms);
    if (step.do === "reset") await backend.reset(scope, "key");
    if (step.do === "take") {
      const take = await backend.take(scope, "key", step.tokens);
      if (take.source === "deny-cache") fromMemory++;
      answers.push(answer(take));
    }
    if (step.do === "adjust") answers.push(answer(await backend.adjust(scope, "key", step.tokens)));
  }
  return answers;
}

/** Returns the policy in effect at step i. */
function policyAt<T extends Policy | KeyScope | PolicySpec>(policies: readonly T[], steps: readonly Step[], i: number): T {
  const change = steps.slice(0, i + 1).findLast((step) => step.do === "policy");
  return policies[(change?.to ?? 0) % policies.length] as T;
}

function scopeOf(prefix: string, policy: Policy): KeyScope {
  return { prefix, policy };
}

function answer({ allowed, used, uncharged = 0, blockedMs = 0 }: BackendReply): Answer {
  return { allowed, used: [used].flat(), uncharged, blockedMs };
}
