import { randomUUID } from "node:crypto";
import { RedisBackend } from "@ratelimit/backend-redis";
import { RateLimiter } from "@ratelimit/core";
import type { Source } from "@ratelimit/core/backend";
import type {} from "@ratelimit/testbed";
import { describe, expect, inject, test } from "vitest";

const { url, cluster } = inject("redis");

/** Checks so many keys in one turn of the event loop, and says who decided them and how many ms it took. */
async function checked(backend: RedisBackend, keys: number): Promise<{ sources: Partial<Record<Source, number>>; ms: number }> {
  const limiter = new RateLimiter({ rate: 100, backend, name: randomUUID() });
  await limiter.check("warm");
  const start = performance.now();
  const results = await Promise.all(Array.from({ length: keys }, (_, i) => limiter.check(`key ${i}`)));
  const ms = performance.now() - start;
  const sources: Partial<Record<Source, number>> = {};
  for (const { source } of results) sources[source] = (sources[source] ?? 0) + 1;
  return { sources, ms };
}

describe.each([
  ["one server", () => new RedisBackend({ url, onOutage: () => {} })],
  ["a Cluster", () => new RedisBackend({ cluster, onOutage: () => {} })],
])("on %s, with the default timeout", (what, open) => {
  test.each([1000, 10_000, 20_000])("%i keys that are checked in one turn are all decided by Redis", { timeout: 60_000 }, async (keys) => {
    await using backend = open();
    // The first turn of a process compiles the code, and is no measure.
    await checked(backend, 2000);
    const { sources, ms } = await checked(backend, keys);
    process.stdout.write(`${what}: ${keys} keys in one turn took ${ms.toFixed()} ms\n`);
    expect(sources).toEqual({ backend: keys });
  });
});
