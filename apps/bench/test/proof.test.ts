import { RedisBackend } from "@ratelimit/backend-redis";
import { type Standalone, startStandalone } from "@ratelimit/testbed";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { proof, prove } from "../src/bench.ts";
import type { LimiterId } from "../src/http/limiters.ts";
import type { Framework } from "../src/http/servers.ts";
import { proveServer } from "../src/http/station.ts";
import { proofRule } from "../src/memory/station.ts";
import { type Subject, subjects } from "../src/memory/subjects.ts";
import { type ListenerId, listeners } from "../src/otel/listeners.ts";
import { open as openOtel } from "../src/otel/station.ts";
import { type OutageSubject, outageSubjects } from "../src/outage/subjects.ts";
import { proofRule as redisProofRule } from "../src/redis/station.ts";
import { type RedisSubject, redisSubjects } from "../src/redis/subjects.ts";
import { Client, type Reply } from "../src/soak/client.ts";
import { servers } from "../src/soak/rules.ts";
import { serve } from "../src/soak/servers.ts";
import { limitOn } from "../src/soak/station.ts";

let redis: Standalone;

beforeAll(async () => {
  redis = await startStandalone();
});

afterAll(async () => {
  await redis.stop();
});

test("a limiter that does not admit 5 of 8 calls is not measured", async () => {
  await expect(prove("no limiter", () => true)).rejects.toThrow("admitted 8 of 8");
});

describe("in process", () => {
  test.each(Object.entries<Subject>(subjects))("%s", async (_, { name, make }) => {
    const checker = make(proofRule);
    await prove(name, () => checker.checkOne("a"));
    await prove(name, () => checker.checkOne("b"));
  });

  test.each(Object.entries<Subject>(subjects))("%s in its loop", async (_, { make }) => {
    const order = Uint32Array.from({ length: proof.calls }, () => 0);
    expect(await make(proofRule).checkMany(["a"], order, 0, proof.calls)).toBe(proof.admitted);
  });
});

test.each(Object.entries<RedisSubject>(redisSubjects))("on Redis: %s", async (id, { name, make }) => {
  const { ready, checkOne: one } = make([redis.server.address], redisProofRule(id));
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

test.each(Object.keys(listeners) as ListenerId[])("with a listener: %s", async (listener) => {
  await openOtel({ listener })["prove"]?.(undefined as never);
});

test.each(servers)("in the soak: %s", async (framework) => {
  const backend = new RedisBackend({ url: redis.url, instances: servers.length, onOutage: () => {} });
  const server = await serve[framework](limitOn(backend));
  const replies: Reply[] = [];
  const client = new Client([server.port], (reply) => replies.push(reply));
  await prove(framework, async () => {
    await client.send(0, "proof", servers.indexOf(framework));
    return replies.at(-1)?.outcome === 200;
  });
  expect(replies.some(({ isLocal }) => isLocal)).toBe(false);
  redis.server.pause();
  await client.send(0, "fresh", 1);
  redis.server.resume();
  expect(replies.at(-1)).toMatchObject({ outcome: 200, isLocal: true });
  client.close();
  await server.close();
  await backend.close();
});
