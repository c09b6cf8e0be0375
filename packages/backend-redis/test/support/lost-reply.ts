import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { RedisBackend, type RedisClient } from "@ratelimit/backend-redis";
import { RateLimiter } from "@ratelimit/core";
import type { FaultProxy } from "@ratelimit/testbed";
import { strict } from "./strict.ts";

/** Loses the reply to one call through `proxy`, and returns how often the bucket had been charged for that call after 500 ms. */
export async function chargesOfLostReply(client: RedisClient, proxy: FaultProxy): Promise<number> {
  await using backend = new RedisBackend({ client, ...strict, timeout: "1s" });
  // So slow that no token is refilled during the test.
  const limiter = new RateLimiter({ rate: 1, period: "10d", burst: 1000, name: randomUUID(), backend });
  await limiter.check("key");
  const before = (await limiter.peek("key")).remaining;
  await proxy.set("cutOnReply");
  await limiter.check("key").catch(() => {});
  await sleep(500);
  for (;;) {
    const left = await limiter.peek("key").catch(() => undefined);
    if (left !== undefined) return before - left.remaining;
    await sleep(50);
  }
}
