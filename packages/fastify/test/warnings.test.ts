import rateLimit, { type FastifyRateLimitOptions, limitByUser, type RouteRateLimit } from "@ratelimit/fastify";
import Fastify, { type FastifyServerOptions } from "fastify";
import { expect, test } from "vitest";

/** The codes of the warnings that two requests with X-Forwarded-For give rise to. */
async function warningsOf(
  options: FastifyServerOptions,
  plugin: FastifyRateLimitOptions | object,
  route?: RouteRateLimit,
): Promise<(string | undefined)[]> {
  const codes: (string | undefined)[] = [];
  const hear = (warning: Error & { code?: string }): void => void codes.push(warning.code);
  process.on("warning", hear);
  const app = Fastify(options);
  await app.register(rateLimit, plugin);
  app.get("/", { config: route === undefined ? {} : { rateLimit: route } }, async () => "ok");
  for (const forwarded of ["203.0.113.1", "203.0.113.2"]) await app.inject({ url: "/", headers: { "x-forwarded-for": forwarded } });
  await app.close();
  process.off("warning", hear);
  return codes;
}

const limit = { rate: 100 };

test.each([
  ["a proxy believed by its network is no reason to warn", { trustProxy: "loopback" }, limit, undefined, []],
  ["nor is a client that speaks past it", { trustProxy: "10.0.0.0/8" }, limit, undefined, []],
  ["nor one believed by our trust", {}, { ...limit, trust: 1 }, undefined, []],
  ["nor one that we are told not to believe", {}, { ...limit, trust: false }, undefined, []],
  ["X-Forwarded-For while nobody is believed warns once", {}, limit, undefined, ["RATELIMIT_FORWARDED_IGNORED"]],
  ["and once per process", {}, limit, undefined, []],
  ["a number as trustProxy, which believes nobody, warns once", { trustProxy: 1 }, limit, undefined, ["RATELIMIT_FASTIFY_TRUST_PROXY"]],
  ["limitByUser without a choice for nobody is fine where all have a user", {}, {}, limitByUser({ ...limit, trust: 1, user: () => 1 }), []],
  ["a choice for nobody is heard", {}, {}, limitByUser({ ...limit, trust: 1, anonymous: "address" }), []],
  ["limitByUser without a user and without a choice warns once", {}, {}, limitByUser({ ...limit, trust: 1 }), ["RATELIMIT_NO_USER"]],
] as const)("%s", async (_, options, plugin, route, codes) => {
  expect(await warningsOf(options as FastifyServerOptions, plugin, route)).toEqual(codes);
});
