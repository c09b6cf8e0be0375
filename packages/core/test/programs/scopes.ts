/** Limiters that come and go leave nothing behind once their buckets are full again. */
import { setTimeout as sleep } from "node:timers/promises";
import { BucketTable, definePolicy } from "@ratelimit/core";
import { processClock } from "../../src/clock.ts";

const collect = (globalThis as unknown as { gc: () => void }).gc;
const table = new BucketTable(10_000, processClock);

function comeAndGo(name: number): WeakRef<object> {
  const policy = definePolicy({ rate: 1000, period: 1 });
  table.take({ prefix: `limiter-${name}:`, policy }, "key", 1);
  return new WeakRef(policy);
}

const policies = Array.from({ length: 1000 }, (_, i) => comeAndGo(i));
const alive = (): number => policies.filter((policy) => policy.deref() !== undefined).length;
for (let i = 0; i < 50 && alive() > 0; i++) {
  await sleep(100);
  collect();
}
process.stdout.write(`${alive()} kept`);
