import type { RateLimitResult } from "@ratelimit/core";
import type { RequestRateLimit } from "@ratelimit/core/http";
import named, { limitByApiKey, limitByUser, rateLimit } from "@ratelimit/fastify";
import Fastify, { type FastifyReply, type FastifyRequest } from "fastify";
import { expectTypeOf, test } from "vitest";

const ok = async (): Promise<string> => "ok";

test("functions among the options know Fastify's request and reply", async () => {
  const app = Fastify();
  await app.register(rateLimit, {
    rate: 100,
    key: (request) => {
      expectTypeOf(request).toEqualTypeOf<FastifyRequest>();
      return request.hostname;
    },
    refund: (request, status) => {
      expectTypeOf(status).toEqualTypeOf<number>();
      return request.method === "POST" && status < 400;
    },
    onLimited: (result, request, reply) => {
      expectTypeOf(result).toEqualTypeOf<RateLimitResult>();
      expectTypeOf(request).toEqualTypeOf<FastifyRequest>();
      expectTypeOf(reply).toEqualTypeOf<FastifyReply>();
    },
  });
  expectTypeOf(named).toEqualTypeOf(rateLimit);
  app.get("/a", { config: { rateLimit: { rate: 10, period: "1m", hook: "preHandler", key: (request) => request.ip } } }, ok);
  app.get("/b", { config: { rateLimit: [limitByUser({ rate: 1, user: (request) => request.ip }), { rate: 5 }] } }, ok);
  app.get("/c", { config: { rateLimit: limitByApiKey({ rate: 1, valid: (key, request) => key === request.id }) } }, ok);
  app.get("/d", { config: { rateLimit: false } }, ok);
});

test("the decision at the request is typed", () => {
  expectTypeOf<FastifyRequest["rateLimit"]>().toEqualTypeOf<RequestRateLimit | null>();
});

test("mistakes do not compile", () => {
  const app = Fastify();
  const mistakes = (): unknown[] => [
    // @ts-expect-error: no such option
    app.register(rateLimit, { rate: 1, brust: 5 }),
    // @ts-expect-error: a rate is a number
    app.get("/a", { config: { rateLimit: { rate: "1" } } }, ok),
    // @ts-expect-error: no such hook
    app.get("/c", { config: { rateLimit: { rate: 1, hook: "onSend" } } }, ok),
    // @ts-expect-error: a user limit has no key
    limitByUser({ rate: 100, key: () => "a" }),
  ];
  expectTypeOf(mistakes).returns.toBeArray();
});
