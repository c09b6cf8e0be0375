import { randomUUID } from "node:crypto";
import { defineConfig, type RateLimitConfig } from "@ratelimit/core";
import type {} from "@ratelimit/testbed";
import { inject, onTestFinished } from "vitest";
import type { Outage, Servers } from "../../src/backends.ts";
import { type Combination, serve } from "../../src/serve.ts";

const { url, cluster } = inject("redis");

/** The real servers that these tests run on. */
const servers: Servers = { redisUrl: url, redisCluster: cluster.map(({ host, port }) => `${host}:${port}`) };

/** The same as the environment of a process. */
export function serversEnv(): Record<string, string> {
  return { RATELIMIT_REDIS_URL: url, REDIS_CLUSTER: cluster.map(({ host, port }) => `${host}:${port}`).join() };
}

/** Where a Redis is slow, a test waits for it, and nothing stands in for it. */
const patient: Outage = { outage: "throw", timeout: "10s" };

/** What keys begin with that no other test has. */
export function freshPrefix(): string {
  return `test:${randomUUID()}:`;
}

/** Serves a combination with full buckets for the length of a test; the limit of the middleware is 150 at once, 100 per minute. */
export async function serveFresh(
  combination: Combination,
  config: RateLimitConfig = defineConfig({ rate: 100, period: 60, burst: 150, keyPrefix: freshPrefix() }),
): Promise<string> {
  const served = await serve(combination, { config, servers, port: 0, outage: patient });
  if (served === undefined) throw new Error("It has no server.");
  onTestFinished(() => served.close());
  return served.url;
}
