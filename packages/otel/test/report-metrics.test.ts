import { channel } from "node:diagnostics_channel";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { metrics } from "@opentelemetry/api";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import { MemoryBackend } from "@ratelimit/backend-memory";
import { ManualClock, RateLimiter, resilient } from "@ratelimit/core";
import { type ReportMetricsOptions, reportMetrics } from "@ratelimit/otel";
import { afterEach, describe, expect, test } from "vitest";
import { startScraped } from "./support/scrape.ts";
import { causeEverything } from "./support/traffic.ts";

function limiterOf(options: { name?: string; rate?: number; block?: "10s"; maxKeys?: number } = {}): RateLimiter<MemoryBackend> {
  const { maxKeys = 100_000, rate = 10, name = "api", block } = options;
  return new RateLimiter({ name, rate, block, period: "1h", backend: new MemoryBackend({ maxKeys, clock: new ManualClock() }) });
}

describe("what is measured", () => {
  test("outcomes: admitted, refused, and blocked by the policy or by a call", async () => {
    await using scraped = await startScraped();
    const [plain, blocking] = [limiterOf({ name: "plain", rate: 1 }), limiterOf({ name: "blocking", rate: 1, block: "10s" })];
    for (const limiter of [plain, blocking]) for (let i = 0; i < 3; i++) await limiter.check("key");
    await plain.block("another", "1m");
    await plain.check("another");
    const rows = (await scraped.samples())
      .filter(({ name }) => name === "ratelimit_decisions_total")
      .map(({ labels, value }) => [labels["ratelimit_limiter"], labels["ratelimit_outcome"], labels["ratelimit_source"], value]);
    expect(rows).toEqual([
      ["plain", "admitted", "backend", 1],
      ["plain", "refused", "backend", 2],
      ["blocking", "admitted", "backend", 1],
      ["blocking", "blocked", "backend", 2],
      ["plain", "blocked", "backend", 1],
    ]);
    expect(await scraped.sum("ratelimit_blocks_total", { ratelimit_limiter: "plain" })).toBe(1);
    expect(await scraped.sum("ratelimit_blocks_total")).toBe(1);
  });

  test.each([
    [undefined, 2],
    [0.5, 6],
    [0, 1],
    [1, 10],
  ])("nearLimit %s: of 10 calls that empty a bucket of 10, %s are near the limit", async (nearLimit, near) => {
    await using scraped = await startScraped({ nearLimit });
    const limiter = limiterOf();
    for (let i = 0; i < 15; i++) await limiter.check("key");
    expect(await scraped.sum("ratelimit_near_limit_total", { ratelimit_limiter: "api" })).toBe(near);
  });

  test("a call is near the limit if any limit of its policy is", async () => {
    await using scraped = await startScraped();
    const limits = [
      { name: "second", rate: 100, period: "1s" },
      { name: "day", rate: 20, period: "1d", burst: 1 },
    ] as const;
    const limiter = new RateLimiter({ name: "several", limits: [...limits], backend: new MemoryBackend() });
    await limiter.check("key");
    expect(await scraped.sum("ratelimit_near_limit_total")).toBe(1);
  });

  test("durations are in seconds, with bounds from 10 µs to 1 s", async () => {
    await using scraped = await startScraped();
    const slow = resilient(
      {
        take: async () => {
          await new Promise((resolve) => setTimeout(resolve, 30));
          return { allowed: true, used: 0 };
        },
        adjust: () => ({ allowed: true, used: 0 }),
        block: () => {},
        reset: () => {},
        close: () => {},
      },
      { timeout: "10s" },
    );
    await new RateLimiter({ name: "slow", rate: 1, backend: slow }).check("key");
    const seconds = await scraped.sum("ratelimit_decision_duration_sum");
    expect(seconds).toBeGreaterThan(0.025);
    expect(seconds).toBeLessThan(10);
    expect(await scraped.sum("ratelimit_decision_duration_bucket", { le: "0.025" })).toBe(0);
    const bounds = (await scraped.samples())
      .filter(({ name }) => name === "ratelimit_decision_duration_bucket")
      .map(({ labels }) => labels["le"]);
    expect([bounds[0], ...bounds.slice(-2)]).toEqual(["0.00001", "1", "+Inf"]);
  });

  test("every failure of the backend, also those of one second", async () => {
    await using scraped = await startScraped();
    const fails = (): Promise<never> => Promise.reject(new Error("gone"));
    const backend = resilient({ take: fails, adjust: fails, block: () => {}, reset: () => {}, close: () => {} }, { onOutage: () => {} });
    const limiter = new RateLimiter({ name: "out", rate: 1, backend });
    await Promise.all(Array.from({ length: 50 }, (_, i) => limiter.check(`key ${i}`)));
    expect(await scraped.sum("ratelimit_backend_failures_total", { error_type: "connection" })).toBe(50);
    await backend.close();
  });

  test("evictions", async () => {
    await using scraped = await startScraped();
    const limiter = limiterOf({ maxKeys: 3 });
    for (let i = 0; i < 10; i++) await limiter.check(`key ${i}`);
    expect(await scraped.sum("ratelimit_evictions_total")).toBe(7);
  });

  test("counters of rare events start at 0, so that Prometheus sees the first one", async () => {
    await using scraped = await startScraped();
    await limiterOf().check("key");
    const zero = (await scraped.samples()).filter(({ value }) => value === 0).map(({ name }) => name);
    for (const name of ["evictions", "backend_failures", "near_limit", "blocks"]) expect(zero).toContain(`ratelimit_${name}_total`);
    expect(zero).toContain("ratelimit_breaker_open");
  });
});

test("the README lists each metric and attribute that a scrape has, and no other", async () => {
  const readme = await readFile(join(import.meta.dirname, "../README.md"), "utf8");
  await using scraped = await startScraped();
  await causeEverything();
  const ours = (await scraped.samples()).filter(({ name }) => name.startsWith("ratelimit_"));
  const metrics = new Set(ours.map(({ name }) => name.replace(/_(bucket|sum|count)$/, "")));
  expect(new Set([...readme.matchAll(/^\| `ratelimit\.[\w.]+` \| `(\w+)` \|/gm)].map(([, name]) => name))).toEqual(metrics);
  const attributes = new Set(
    ours.flatMap(({ labels }) => Object.keys(labels).filter((label) => label !== "le" && label !== "otel_scope_name")),
  );
  const [, table = ""] = readme.split("| attribute | values |");
  const listed = [...table.matchAll(/^\| `([\w.]+)` \|/gm)].map(([, name = ""]) => name.replace(".", "_"));
  expect(new Set(listed)).toEqual(attributes);
});

describe("cardinality", () => {
  test("10,000 keys make as many series as one, and none of them is shown", async () => {
    await using scraped = await startScraped();
    const limiter = limiterOf({ rate: 2 });
    const use = async (key: string): Promise<void> => {
      for (let i = 0; i < 3; i++) await limiter.check(key);
      await limiter.block(key, "1m");
      await limiter.check(key);
    };
    await use("secret-0");
    const before = (await scraped.samples()).length;
    for (let i = 1; i < 10_000; i++) await use(`secret-${i}`);
    expect((await scraped.samples()).length).toBe(before);
    expect(await scraped.sum("ratelimit_decisions_total")).toBe(40_000);
    expect(await scraped.text()).not.toContain("secret");
  });

  test("after 100 limiters, further names are reported as _OTHER, and every decision is counted", async () => {
    await using scraped = await startScraped();
    for (let i = 0; i < 150; i++) await limiterOf({ name: `tenant-${i}` }).check("key");
    await limiterOf({ name: "tenant-3" }).check("key");
    const names = (await scraped.samples())
      .filter(({ name }) => name === "ratelimit_decisions_total")
      .map(({ labels }) => labels["ratelimit_limiter"]);
    expect(names).toHaveLength(101);
    expect(await scraped.sum("ratelimit_decisions_total", { ratelimit_limiter: "_OTHER" })).toBe(50);
    expect(await scraped.sum("ratelimit_decisions_total", { ratelimit_limiter: "tenant-3" })).toBe(2);
  });
});

describe("starting and stopping", () => {
  afterEach(() => metrics.disable());

  test("a second call with the same provider counts nothing twice, and returns the same function", async () => {
    await using scraped = await startScraped();
    expect(reportMetrics({ meterProvider: scraped.provider })).toBe(scraped.stop);
    await limiterOf().check("key");
    expect(await scraped.sum("ratelimit_decisions_total")).toBe(1);
  });

  test("two providers each get everything", async () => {
    await using one = await startScraped();
    await using two = await startScraped({ nearLimit: 0.5 });
    await limiterOf().check("key");
    expect([await one.sum("ratelimit_decisions_total"), await two.sum("ratelimit_decisions_total")]).toEqual([1, 1]);
  });

  test("stop ends it, a second stop does nothing, and it can start again", async () => {
    await using scraped = await startScraped();
    const limiter = limiterOf();
    await limiter.check("key");
    scraped.stop();
    scraped.stop();
    expect(channel("ratelimit:decision").hasSubscribers).toBe(false);
    await limiter.check("key");
    expect(await scraped.sum("ratelimit_decisions_total")).toBe(1);
    expect((await scraped.samples()).filter(({ name }) => name === "ratelimit_breaker_open").map(({ value }) => value)).toEqual([0]);
    {
      using again = reportMetrics({ meterProvider: scraped.provider, nearLimit: 0.2 });
      scraped.stop();
      await limiter.check("key");
      expect(again).not.toBe(scraped.stop);
      expect(reportMetrics({ meterProvider: scraped.provider, nearLimit: 0.2 })).toBe(again);
    }
    await limiter.check("key");
    expect(await scraped.sum("ratelimit_decisions_total")).toBe(2);
  });

  test("a breaker that is open when the reporting stops does not stay open on a dashboard, and can be reported again", async () => {
    await using scraped = await startScraped();
    const fails = (): Promise<never> => Promise.reject(new Error("gone"));
    const backend = resilient({ take: fails, adjust: fails, block: () => {}, reset: () => {}, close: () => {} }, { onOutage: () => {} });
    await new RateLimiter({ name: "out", rate: 1, backend }).check("key");
    expect(await scraped.sum("ratelimit_breaker_open")).toBe(1);
    scraped.stop();
    expect(await scraped.sum("ratelimit_breaker_open")).toBe(0);
    using _again = reportMetrics({ meterProvider: scraped.provider });
    await expect.poll(() => scraped.sum("ratelimit_breaker_open")).toBe(1);
    await backend.close();
    expect(await scraped.sum("ratelimit_breaker_open")).toBe(0);
  });

  test("a second copy of this package counts nothing twice", async () => {
    await using scraped = await startScraped();
    const copy = (await import(`${new URL("../src/report-metrics.ts", import.meta.url).href}?copy`)) as typeof import("@ratelimit/otel");
    expect(copy.reportMetrics).not.toBe(reportMetrics);
    expect(copy.reportMetrics({ meterProvider: scraped.provider })).toBe(scraped.stop);
  });

  test("without a provider, the global one is used", async () => {
    const provider = new MeterProvider();
    metrics.setGlobalMeterProvider(provider);
    using stop = reportMetrics();
    expect(reportMetrics({ meterProvider: provider })).toBe(stop);
  });

  test("without an SDK there is one warning and nobody listens; a later call works", async () => {
    const warnings: (string | undefined)[] = [];
    const note = (warning: Error & { code?: string }): void => void warnings.push(warning.code);
    process.on("warning", note);
    reportMetrics();
    const stop = reportMetrics();
    await setImmediate();
    process.off("warning", note);
    expect(warnings).toEqual(["RATELIMIT_NO_METER_PROVIDER"]);
    stop();
    metrics.setGlobalMeterProvider(new MeterProvider());
    expect(reportMetrics()).not.toBe(stop);
    reportMetrics()();
  });

  test.each<[unknown, string]>([
    [{ nearLimit: 2 }, "Expected `nearLimit` to be a number from 0 to 1, got 2: write nearLimit: 0.1 for a tenth of the bucket"],
    [{ nearlimit: 0.1 }, "Unknown option `nearlimit`: did you mean `nearLimit`?"],
    [{ meterProvider: {} }, "Expected `meterProvider` to be a MeterProvider, got"],
    ["0.1", "Expected `options` to be an object of options"],
  ])("%o is INVALID_OPTION", (options, message) => {
    expect(() => reportMetrics(options as ReportMetricsOptions)).toThrow(
      expect.objectContaining({ code: "INVALID_OPTION", message: expect.stringContaining(message) as string }),
    );
  });

  test("another nearLimit for the same provider is INVALID_OPTION", async () => {
    await using scraped = await startScraped();
    expect(() => reportMetrics({ meterProvider: scraped.provider, nearLimit: 0.2 })).toThrow(
      "Expected `nearLimit` to be 0.1, as in the first call, got 0.2",
    );
  });
});
