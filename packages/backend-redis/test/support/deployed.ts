/** One process of a deploy. It makes calls on one key with its own policy, as its argument says, and prints what it saw as JSON. */
import { setTimeout as sleep } from "node:timers/promises";
import { RedisBackend } from "@ratelimit/backend-redis";
import { type PolicyOptions, RateLimiter } from "@ratelimit/core";
import { strict } from "./strict.ts";

/** The work of one process. */
export interface Deployed {
  readonly url: string;
  readonly name: string;
  readonly policy: PolicyOptions;
  /** Whether it takes whatever it can get, or waits out each `retryAfter` before the next call. */
  readonly how: "takes" | "waits";
  readonly ms: number;
}

/** What a process saw. */
export interface Seen {
  readonly admitted: number;
  readonly refused: number;
  /** Calls that were refused although they waited for the `retryAfter` of the previous refusal. */
  readonly broken: number;
  /** Seconds from its first call to its last. */
  readonly seconds: number;
}

const { url, name, policy, how, ms } = JSON.parse(process.argv[2] ?? "") as Deployed;
const backend = new RedisBackend({ url, ...strict });
const limiter = new RateLimiter({ ...policy, name, backend });
await limiter.peek("key");

// Many calls at once cost less CPU per call, and the process has to use up its whole budget.
const crowd = how === "takes" ? 20 : 1;
let [admitted, refused, broken, waited] = [0, 0, 0, false];
const start = performance.now();
while (performance.now() - start < ms) {
  const results = await Promise.all(Array.from({ length: crowd }, () => limiter.check("key")));
  const refusals = results.filter(({ allowed }) => !allowed);
  admitted += crowd - refusals.length;
  refused += refusals.length;
  if (waited) broken += refusals.length;
  const [refusal] = refusals;
  waited = refusal !== undefined && how === "waits";
  // Before 7.2 Redis may be a millisecond late, and a timer may be a millisecond early.
  if (refusal !== undefined) await sleep(how === "waits" ? refusal.retryAfter * 1000 + 3 : 5);
}
const seconds = (performance.now() - start) / 1000;
await backend.close();
console.log(JSON.stringify({ admitted, refused, broken, seconds } satisfies Seen));
