import { configFromEnv, defineConfig, definePolicy, RateLimiter } from "@ratelimit/core";
import { expect, test } from "vitest";
import { ComputedLimiters } from "../../src/limiter/computed-limiters.ts";
import { samePolicy } from "../../src/policy/policy.ts";
import { tableBackend } from "../support/backends.ts";
import { caught } from "../support/caught.ts";

test("a policy has no lease unless it is given one, with a unit", () => {
  expect(definePolicy({ rate: 100 }).leaseMs).toBe(0);
  expect(definePolicy({ rate: 100, lease: "50ms" }).leaseMs).toBe(50);
  expect(definePolicy({ limits: [{ rate: 100 }], lease: "1.5s" }).leaseMs).toBe(1500);
});

test.each([[50], ["50"], ["0ms"], ["0.5ms"], [null], [true]])("lease: %j is a mistake that says what to write", (lease) => {
  const { code, message } = caught(() => definePolicy({ rate: 100, lease } as never));
  expect(code).toBe("INVALID_POLICY");
  expect(message).toContain("Expected `lease` to be a length of time with its unit, got");
  expect(message).toContain('write lease: "50ms"');
});

test("a lease and a block in one policy are a mistake, also if one of them is compiled", () => {
  const expected = "Expected `lease` to be absent beside `block`, got";
  expect(caught(() => definePolicy({ rate: 100, lease: "50ms", block: "1m" })).message).toContain(expected);
  expect(caught(() => definePolicy({ ...definePolicy({ rate: 100, lease: "50ms" }), block: "1m" })).message).toContain(expected);
  expect(caught(() => definePolicy({ ...definePolicy({ rate: 100, block: "1m" }), lease: "50ms" })).message).toContain(expected);
});

test("a compiled policy keeps its lease when it is compiled again, and another lease is another policy", () => {
  const policy = definePolicy({ rate: 100, lease: "50ms" });
  expect(samePolicy(definePolicy(policy as never), policy)).toBe(true);
  expect(samePolicy(definePolicy({ rate: 100 }), policy)).toBe(false);
  expect(samePolicy(definePolicy({ rate: 100, lease: "60ms" }), policy)).toBe(false);
});

test("limiters, configurations and the environment take it", () => {
  const backend = tableBackend();
  expect(new RateLimiter({ rate: 100, lease: "50ms", backend }).policy.leaseMs).toBe(50);
  expect(defineConfig({ rate: 100, lease: "50ms" }).policy.leaseMs).toBe(50);
  expect(configFromEnv({ RATELIMIT_LEASE: "50ms" }).policy.leaseMs).toBe(50);
  expect(configFromEnv({ RATELIMIT_LEASE: "50ms" }, { lease: "20ms" }).policy.leaseMs).toBe(20);
  expect(caught(() => configFromEnv({ RATELIMIT_LEASE: "50" })).message).toContain("RATELIMIT_LEASE");
});

test("computed policies that differ in their lease are different limiters", () => {
  const limiters = new ComputedLimiters({ backend: tableBackend(), name: "plans" });
  expect(limiters.of({ rate: 100, lease: "50ms" })).toBe(limiters.of({ rate: 100, lease: "50ms" }));
  expect(limiters.of({ rate: 100, lease: "50ms" })).not.toBe(limiters.of({ rate: 100 }));
});

test("on a backend of this process it changes nothing", async () => {
  const limiter = new RateLimiter({ rate: 100, burst: 20, lease: "50ms", backend: tableBackend() });
  const results = Array.from({ length: 21 }, () => limiter.checkSync("key"));
  expect(results.map(({ allowed }) => allowed)).toEqual([...Array<boolean>(20).fill(true), false]);
  expect(new Set(results.map(({ source }) => source))).toEqual(new Set(["backend"]));
});
