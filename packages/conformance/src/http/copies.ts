import assert from "node:assert/strict";
import type { LimiterOptions } from "./app.ts";
import { assertLimitFields } from "./expect.ts";
import { type HttpRequirement, inTurn, requirement, route, statuses } from "./requirement.ts";
import { secondCore } from "./second-core.ts";

const parts = requirement(
  "two copies of core in one process: each accepts the other's limiters, plans, backends and configs",
  async (fixture) => {
    const copy = await secondCore();
    const limiter = new copy.RateLimiter({ rate: 2, name: "other", backend: fixture.backend });
    const rows: Readonly<Record<string, LimiterOptions>> = {
      "a limiter": { limiter },
      "a plan": { limiter: async () => limiter },
      "a backend": { rate: 2, name: "table", backend: new copy.BucketTable(10, new copy.ManualClock()) },
      "an asynchronous backend": { rate: 2, name: "late", backend: copy.resilient(new copy.BucketTable(10, new copy.ManualClock())) },
      "a configuration": { config: copy.defineConfig({ rate: 2 }), backend: fixture.backend },
      "a policy": { limits: copy.definePolicy({ rate: 2 }).limits.map(({ name, rate }) => ({ name, rate })) as never },
    };
    for (const [what, options] of Object.entries(rows)) {
      const site = await fixture.site({ limiters: [fixture.limit(options)] });
      const replies = await inTurn(3, () => site.get());
      assert.deepEqual(statuses(replies), [200, 200, 429], what);
      assertLimitFields(replies[2], [
        "X-RateLimit-Limit: 2",
        "X-RateLimit-Remaining: 0",
        "X-RateLimit-Reset: 1795521660",
        "Retry-After: 30",
      ]);
      fixture.renew();
    }
  },
);

const errors = requirement("two copies of core in one process: each answers the other's errors like its own", async (fixture) => {
  const copy = await secondCore();
  const limiter = new copy.RateLimiter({ rate: 1, backend: fixture.backend });
  const site = await fixture.site({
    limiters: [fixture.limit()],
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
  assertLimitFields(refused, ["X-RateLimit-Limit: 1", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1795521660", "Retry-After: 60"]);
});

export const copies: readonly HttpRequirement[] = [parts, errors];
