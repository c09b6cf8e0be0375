/** A program that sees only outages and awaits none of its calls. It must end by itself, without an unhandled rejection. */
import { setTimeout as sleep } from "node:timers/promises";
import { RedisBackend, type RedisBackendOptions } from "@ratelimit/backend-redis";
import { RateLimiter } from "@ratelimit/core";
import { strict } from "./strict.ts";

/** What the program prints at the end: how many of its calls failed, and how many did not. */
export interface Tally {
  readonly failed: number;
  readonly answered: number;
}

const ways = JSON.parse(process.argv[2] as string) as RedisBackendOptions[];
let [failed, answered] = [0, 0];
const backends = ways.map((options) => new RedisBackend({ ...options, ...strict }));
// These are never called.
const idle = ways.map((options) => new RedisBackend(options));
for (const backend of backends) {
  const limiter = new RateLimiter({ name: "outage", rate: 10, backend });
  for (let round = 0; round < 5; round++) {
    for (const call of [limiter.check("key"), limiter.charge("key", 1), limiter.reset("key")])
      call.then(
        () => answered++,
        () => failed++,
      );
    await sleep(round * 20);
  }
}
await Promise.all([...backends, ...idle].map((backend) => backend.close()));
process.on("exit", () => process.stdout.write(JSON.stringify({ failed, answered } satisfies Tally)));
