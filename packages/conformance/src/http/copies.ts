import assert from "node:assert/strict";
import { defineConfig, RateLimiter } from "@ratelimit/core";
import { vi } from "vitest";
import type { LimiterOptions } from "./app.ts";
import { type HttpRequirement, inTurn, requirement, route, statuses } from "./bench.ts";
import { assertTold } from "./expect.ts";

/** Loads core again, as happens when two versions are installed, so that no class is the same. */
async function secondCore(): Promise<typeof import("@ratelimit/core") & typeof import("@ratelimit/core/backend")> {
  vi.resetModules();
  const copy = { ...(await import("@ratelimit/core")), ...(await import("@ratelimit/core/backend")) };
  assert.notEqual(copy.RateLimiter, RateLimiter);
  assert.notEqual(copy.defineConfig, defineConfig);
  return copy;
}

const parts = requirement(
  "two copies of core in one process: each accepts the other's limiters, plans, backends and configs",
  async (bench) => {
    const copy = await secondCore();
    const limiter = new copy.RateLimiter({ rate: 2, name: "other", backend: bench.backend });
    const rows: Readonly<Record<string, LimiterOptions>> = {
      "a limiter": { limiter },
      "a plan": { limiter: async () => limiter },
      "a backend": { rate: 2, name: "table", backend: new copy.BucketTable(10, new copy.ManualClock()) },
      "an asynchronous backend": { rate: 2, name: "late", backend: copy.resilient(new copy.BucketTable(10, new copy.ManualClock())) },
      "a configuration": { config: copy.defineConfig({ rate: 2 }), backend: bench.backend },
      "a policy": { limits: copy.definePolicy({ rate: 2 }).limits.map(({ name, rate }) => ({ name, rate })) as never },
    };
    for (const [what, options] of Object.entries(rows)) {
      const site = await bench.site({ limiters: [bench.limit(options)] });
      const replies = await inTurn(3, () => site.get());
      assert.deepEqual(statuses(replies), [200, 200, 429], what);
      assertTold(replies[2], ["X-RateLimit-Limit: 2", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1795521660", "Retry-After: 30"]);
      bench.renew();
    }
  },
);

const errors = requirement("two copies of core in one process: each answers the other's errors like its own", async (bench) => {
  const copy = await secondCore();
  const limiter = new copy.RateLimiter({ rate: 1, backend: bench.backend });
  const site = await bench.site({
    limiters: [bench.limit()],
    routes: [
      route("/enforce", [], async () => {
        await limiter.enforce("job");
        return { status: 200, body: "done" };
      }),
      route("/outage", [], () => {
        throw new copy.RateLimitError("BACKEND", "The backend failed");
      }),
    ],
  });
  const [admitted, refused] = await inTurn(2, () => site.get("/enforce"));
  assert.deepEqual([admitted?.status, refused?.status, (await site.get("/outage")).status], [200, 429, 503]);
  assertTold(refused, ["X-RateLimit-Limit: 1", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1795521660", "Retry-After: 60"]);
});

export const copies: readonly HttpRequirement[] = [parts, errors];
