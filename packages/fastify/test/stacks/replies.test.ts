import { portOf } from "@ratelimit/conformance";
import { rateLimit } from "@ratelimit/fastify";
import Fastify from "fastify";
import { expect, test } from "vitest";

test("a hijacked reply has the rate limit headers", async () => {
  const app = Fastify({ forceCloseConnections: true });
  await app.register(rateLimit, { rate: 5, headers: ["legacy", "draft-8"], exposeHeaders: true });
  app.get("/", async (_request, reply) => {
    reply.hijack();
    reply.raw.setHeader("content-type", "text/event-stream");
    reply.raw.end("data: 1\n\n");
  });
  await app.listen({ port: 0, host: "127.0.0.1" });
  const { headers } = await fetch(`http://127.0.0.1:${portOf(app.server)}/`);
  await app.close();
  expect([headers.get("x-ratelimit-remaining"), headers.get("ratelimit"), headers.get("content-type")]).toEqual([
    "4",
    '"default";r=4;t=48',
    "text/event-stream",
  ]);
  expect(headers.get("access-control-expose-headers")).toContain("X-RateLimit-Remaining");
});

test.each([
  ["reply.redirect in onLimited is a redirect", undefined, 302],
  ["reply.redirect in onLimited keeps a status that it was given", 303, 303],
] as const)("%s, with the rate limit headers", async (_, given, status) => {
  const app = Fastify();
  await app.register(rateLimit, { rate: 1, onLimited: (_result, _request, reply) => reply.redirect("/wait", given) });
  app.get("/", async () => "ok");
  await app.inject("/");
  const refused = await app.inject("/");
  const { location, "x-ratelimit-remaining": remaining, "retry-after": retryAfter, "cache-control": cacheControl } = refused.headers;
  expect([refused.statusCode, location, remaining, retryAfter, cacheControl]).toEqual([status, "/wait", "0", "60", "no-store"]);
});
