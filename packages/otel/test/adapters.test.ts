import { RedisBackend } from "@ratelimit/backend-redis";
import { type Standalone, startStandalone } from "@ratelimit/testbed";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Scraped, startScraped } from "./support/scrape.ts";
import { frameworks } from "./support/servers.ts";

let redis: Standalone;

beforeAll(async () => {
  redis = await startStandalone();
});

afterAll(async () => {
  await redis.stop();
});

function decisions(scraped: Scraped, labels: { outcome?: string; source?: string } = {}): Promise<number> {
  const wanted = Object.entries({ limiter: "api", ...labels }).map(([label, value]) => [`ratelimit_${label}`, value]);
  return scraped.sum("ratelimit_decisions_total", Object.fromEntries(wanted) as Record<string, string>);
}

describe.each(Object.keys(frameworks))("%s", (framework) => {
  const start = frameworks[framework] as (typeof frameworks)[string];

  test("in memory: admitted, refused and near-limit decisions are counted and timed, and no address is shown", async () => {
    await using scraped = await startScraped();
    await using server = await start({ name: "api", rate: 20, period: 3600 });
    const statuses: number[] = [];
    for (let i = 0; i < 25; i++) statuses.push(await server.request());
    for (let i = 2; i < 12; i++) statuses.push(await server.request(`127.0.0.${i}`));
    expect(statuses.filter((status) => status === 200)).toHaveLength(30);
    expect(await decisions(scraped, { outcome: "admitted", source: "backend" })).toBe(30);
    expect(await decisions(scraped, { outcome: "refused", source: "backend" })).toBe(5);
    expect(await decisions(scraped)).toBe(35);
    expect(await scraped.sum("ratelimit_near_limit_total", { ratelimit_limiter: "api" })).toBe(3);
    expect(await scraped.sum("ratelimit_decision_duration_count", { ratelimit_limiter: "api" })).toBe(35);
    expect(await scraped.text()).not.toContain("127.0.0.");
  });

  test("in shadow mode, refusals are counted although all requests are served", async () => {
    await using scraped = await startScraped();
    await using server = await start({ name: "api", rate: 2, period: 3600, shadow: true });
    const statuses: number[] = [];
    for (let i = 0; i < 5; i++) statuses.push(await server.request());
    expect(statuses).toEqual([200, 200, 200, 200, 200]);
    expect(await decisions(scraped, { outcome: "refused" })).toBe(3);
  });

  test("on Redis: a frozen server shows in sources, failures and the breaker, and so does its return", { timeout: 30_000 }, async () => {
    await using scraped = await startScraped();
    await using backend = new RedisBackend({ url: redis.url });
    await using server = await start({ name: "api", rate: 100_000, period: 3600, backend });
    // The first calls may find the client still connecting, and be decided locally.
    await vi.waitFor(async () => {
      await server.request();
      expect(await decisions(scraped, { source: "backend" })).toBeGreaterThan(0);
    }, 10_000);
    await vi.waitFor(async () => expect(await scraped.sum("ratelimit_breaker_open")).toBe(0), 10_000);

    redis.server.pause();
    try {
      const before = await decisions(scraped, { source: "local" });
      await vi.waitFor(
        async () => {
          await Promise.all([server.request(), server.request()]);
          expect(await scraped.sum("ratelimit_breaker_open")).toBe(1);
        },
        { timeout: 10_000, interval: 10 },
      );
      expect(await decisions(scraped, { source: "local" })).toBeGreaterThan(before);
      expect(await scraped.sum("ratelimit_backend_failures_total", { error_type: "timeout" })).toBeGreaterThan(0);
    } finally {
      redis.server.resume();
    }
    await vi.waitFor(async () => expect(await scraped.sum("ratelimit_breaker_open")).toBe(0), 10_000);
    const before = await decisions(scraped, { source: "backend" });
    await vi.waitFor(async () => {
      await server.request();
      expect(await decisions(scraped, { source: "backend" })).toBeGreaterThan(before);
    }, 10_000);
    expect(await scraped.text()).not.toContain("127.0.0.");
  });
});
