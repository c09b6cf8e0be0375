/** A program that runs in another process, and refunds or resets what a limiter of the test has taken. */
import { once } from "node:events";
import { RedisBackend } from "@ratelimit/backend-redis";
import { RateLimiter, type RateLimiterOptions } from "@ratelimit/core";
import { strict } from "./strict.ts";

/** What to undo, and for which limiter. */
export interface Undoing {
  readonly url: string;
  readonly limiter: Omit<RateLimiterOptions, "backend"> & { readonly rate: number };
  readonly key: string;
  readonly by: "reset" | "refund";
}

const [{ url, limiter: options, key, by }] = (await once(process, "message")) as [Undoing];
await using backend = new RedisBackend({ url, ...strict });
await new RateLimiter({ ...options, backend })[by](key);
process.send?.("done");
process.disconnect();
