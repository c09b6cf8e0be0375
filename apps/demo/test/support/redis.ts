import { randomUUID } from "node:crypto";
import { defineConfig, type RateLimitConfig } from "@ratelimit/core";
import type {} from "@ratelimit/testbed";
import { inject, onTestFinished } from "vitest";
import type { Outage, Servers } from "../../src/backends.ts";
import { type Combination, serve } from "../../src/serve.ts";

const { url, cluster } = inject("redis");

/** The real servers of these tests. */
const servers: Servers = { redisUrl: url, redisCluster: cluster.map(({ host, port }) => `${host}:${port}`) };

/** The same servers as environment variables. */
export function serversEnv(): Record<string, string> {
  return { RATELIMIT_REDIS_URL: url, REDIS_CLUSTER: cluster.map(({ host, port }) => `${host}:${port}`).join() };
}

/** Waits for a slow Redis rather than decide locally. */
const patient: Outage = { outage: "throw", timeout: "10s" };

/** Returns a key prefix that no other test uses. */
export function freshPrefix(): string {
  return `test:${randomUUID()}:`;
}

/** Serves a combination with full buckets until the test ends. By default, the middleware allows 100 per minute, 150 at once. */
export async function serveFresh(
  combination: Combination,
  config: RateLimitConfig = defineConfig({ rate: 100, period: 60, burst: 150, keyPrefix: freshPrefix() }),
): Promise<string> {
  const served = await serve(combination, { config, servers, port: 0, outage: patient });
  if (served === undefined) throw new Error("The address of its backend is not set.");
  onTestFinished(() => served.close());
  return served.url;
}
