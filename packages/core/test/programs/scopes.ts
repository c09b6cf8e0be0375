/** Limiters that come and go leave nothing behind once their buckets are full again. */
import { setTimeout as sleep } from "node:timers/promises";
import { definePolicy, type Policy, resilient } from "@ratelimit/core";
import { BucketTable } from "@ratelimit/core/backend";
import { processClock } from "../../src/clock.ts";

const collect = (globalThis as unknown as { gc: () => void }).gc;
const table = new BucketTable(10_000, processClock);
// Remembers the replies, because some of the keys are used up and would be refused from memory.
const remembering = resilient(new BucketTable(10_000, processClock), {}, { remembersRefusals: true });

async function comeAndGo(name: number): Promise<WeakRef<Policy>> {
  const policy = definePolicy({ rate: 1000, period: 1, burst: 1 + (name % 2) });
  const scope = { prefix: `limiter-${name}:`, policy };
  table.take(scope, "key", 1);
  await remembering.take(scope, "key", 1);
  return new WeakRef(policy);
}

const policies = await Promise.all(Array.from({ length: 1000 }, (_, i) => comeAndGo(i)));
const alive = (): number => policies.filter((policy) => policy.deref() !== undefined).length;
for (let i = 0; i < 80 && alive() > 0; i++) {
  await sleep(100);
  collect();
}
process.stdout.write(`${alive()} kept`);
