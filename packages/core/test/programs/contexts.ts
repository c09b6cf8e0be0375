/** A request that happens to start the sweep must not live as long as the sweep does. */
import { AsyncLocalStorage } from "node:async_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { RateLimiter } from "@ratelimit/core";
import { BucketTable } from "@ratelimit/core/backend";
import { processClock } from "../../src/clock.ts";

const collect = (globalThis as unknown as { gc: () => void }).gc;
const requests = new AsyncLocalStorage<object>();
const limiter = new RateLimiter({ rate: 5, period: "1h", backend: new BucketTable(100, processClock) });

function request(): WeakRef<object> {
  const context = { body: new Array(1000).fill("x") };
  requests.run(context, () => limiter.checkSync("key"));
  return new WeakRef(context);
}

const context = request();
for (let i = 0; i < 20 && context.deref() !== undefined; i++) {
  await sleep(5);
  collect();
}
process.stdout.write(context.deref() === undefined ? "collected" : "kept alive");
