import { type Standalone, startStandalone } from "@ratelimit/testbed";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { proof, prove } from "../src/bench.ts";
import type { LimiterId } from "../src/http/limiters.ts";
import type { Framework } from "../src/http/servers.ts";
import { proveServer } from "../src/http/station.ts";
import { proofRule } from "../src/memory/station.ts";
import { type Subject, subjects } from "../src/memory/subjects.ts";
import { type OutageSubject, outageSubjects } from "../src/outage/subjects.ts";
import { proofRule as redisProofRule } from "../src/redis/station.ts";
import { type RedisSubject, redisSubjects } from "../src/redis/subjects.ts";

let redis: Standalone;

beforeAll(async () => {
  redis = await startStandalone();
});

afterAll(async () => {
  await redis.stop();
});

test("a limiter that admits another number is not measured", async () => {
  await expect(prove("nobody", () => true)).rejects.toThrow("admitted 8 of 8");
});

describe("in process", () => {
  test.each(Object.entries<Subject>(subjects))("%s", async (_, { name, make }) => {
    const checker = make(proofRule);
    await prove(name, () => checker.one("a"));
    await prove(name, () => checker.one("b"));
  });

  test.each(Object.entries<Subject>(subjects))("%s in its loop", async (_, { make }) => {
    const order = Uint32Array.from({ length: proof.calls }, () => 0);
    expect(await make(proofRule).many(["a"], order, 0, proof.calls)).toBe(proof.admitted);
  });
});

test.each(Object.entries<RedisSubject>(redisSubjects))("on Redis: %s", async (id, { name, make }) => {
  const { ready, one } = make([redis.server.address], redisProofRule(id));
  await ready?.();
  await prove(name, () => one("a"));
});

describe.each<Framework>(["express", "fastify", "koa"])("%s", (framework) => {
  test.each<LimiterId>(["minimal", "ours", "peer"])("%s", async (limiter) => {
    await proveServer(framework, limiter, proofRule);
  });
});

test.each<LimiterId>(["ours", "peer"])("fastify on Redis: %s", async (limiter) => {
  await proveServer("fastify", limiter, { ...proofRule, redis: redis.server.address });
});

test.each(Object.entries<OutageSubject>(outageSubjects))("in an outage: %s", async (id, { name, make }) => {
  const call = await make(redis.server.address, proof.limit);
  await prove(name, async () => (await call(id)) === "admitted");
});
