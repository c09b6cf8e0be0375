import rateLimit, { type FastifyRateLimitOptions, limitByUser, type RouteRateLimit } from "@ratelimit/fastify";
import Fastify, { type FastifyServerOptions } from "fastify";
import { expect, test } from "vitest";

/** Sends two requests with X-Forwarded-For and returns the codes of the resulting warnings. */
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
  ["a proxy trusted by its network does not warn", { trustProxy: "loopback" }, limit, undefined, []],
  ["a client that bypasses the trusted proxy does not warn", { trustProxy: "10.0.0.0/8" }, limit, undefined, []],
  ["a proxy trusted by our trust option does not warn", {}, { ...limit, trust: 1 }, undefined, []],
  ["trust: false does not warn", {}, { ...limit, trust: false }, undefined, []],
  ["X-Forwarded-For with no trusted proxy warns once", {}, limit, undefined, ["RATELIMIT_FORWARDED_IGNORED"]],
  ["X-Forwarded-For with no trusted proxy does not warn again in the same process", {}, limit, undefined, []],
  ["a numeric trustProxy, which trusts nobody, warns once", { trustProxy: 1 }, limit, undefined, ["RATELIMIT_FASTIFY_TRUST_PROXY"]],
  [
    "limitByUser without anonymous does not warn if every request has a user",
    {},
    {},
    limitByUser({ ...limit, trust: 1, user: () => 1 }),
    [],
  ],
  ["limitByUser with anonymous does not warn", {}, {}, limitByUser({ ...limit, trust: 1, anonymous: "address" }), []],
  ["limitByUser without a user and without anonymous warns once", {}, {}, limitByUser({ ...limit, trust: 1 }), ["RATELIMIT_NO_USER"]],
] as const)("%s", async (_, options, plugin, route, codes) => {
  expect(await warningsOf(options as FastifyServerOptions, plugin, route)).toEqual(codes);
});
