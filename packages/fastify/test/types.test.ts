import { MemoryBackend } from "@ratelimit/backend-memory";
import { RateLimiter } from "@ratelimit/core";
import type { RequestRateLimit } from "@ratelimit/core/http";
import named, { type FastifyRateLimitOptions, limitByApiKey, limitByUser, rateLimit } from "@ratelimit/fastify";
import Fastify, { type FastifyReply, type FastifyRequest } from "fastify";
import { expectTypeOf, test } from "vitest";

const ok = async (): Promise<string> => "ok";

test("callbacks in the options get Fastify's request and reply types", async () => {
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
      expectTypeOf(result).toEqualTypeOf<RequestRateLimit>();
      expectTypeOf(request).toEqualTypeOf<FastifyRequest>();
      expectTypeOf(reply).toEqualTypeOf<FastifyReply>();
    },
  });
  expectTypeOf(named).toEqualTypeOf(rateLimit);
  app.get("/a", { config: { rateLimit: { rate: 10, period: "1m", hook: "preHandler", key: (request) => request.ip } } }, ok);
  app.get("/b", { config: { rateLimit: [limitByUser({ rate: 1, user: (request) => request.ip }), { rate: 5 }] } }, ok);
  app.get("/c", { config: { rateLimit: limitByApiKey({ rate: 1, valid: (key, request) => key === request.id }) } }, ok);
  app.get("/d", { config: { rateLimit: false } }, ok);
  const options: FastifyRateLimitOptions = { rate: 5 };
  app.get("/f", { config: { rateLimit: [options, options] } }, ok);
  const limiter = new RateLimiter({ rate: 5, backend: new MemoryBackend() });
  app.get("/e", { config: { rateLimit: { limiter: (request) => (request.hostname === "a" ? limiter : undefined) } } }, ok);
});

test("request.rateLimit is typed", () => {
  expectTypeOf<FastifyRequest["rateLimit"]>().toEqualTypeOf<RequestRateLimit | null>();
});

test("mistakes do not compile", () => {
  const app = Fastify();
  const mistakes = (): unknown[] => [
    // @ts-expect-error: unknown option
    app.register(rateLimit, { rate: 1, brust: 5 }),
    // @ts-expect-error: a rate is a number
    app.get("/a", { config: { rateLimit: { rate: "1" } } }, ok),
    // @ts-expect-error: unknown hook
    app.get("/c", { config: { rateLimit: { rate: 1, hook: "onSend" } } }, ok),
    // @ts-expect-error: true is not a limit
    app.get("/e", { config: { rateLimit: true } }, ok),
    // @ts-expect-error: null is not a limit
    app.get("/f", { config: { rateLimit: null } }, ok),
    // @ts-expect-error: a string is not a limit
    app.get("/g", { config: { rateLimit: "10/m" } }, ok),
    // @ts-expect-error: a function of the request returns a policy
    app.get("/h", { config: { rateLimit: () => 10 } }, ok),
    // @ts-expect-error: a promise of options is not options
    app.get("/l", { config: { rateLimit: Promise.resolve({ rate: 1 }) } }, ok),
    // @ts-expect-error: a date is not options
    app.get("/m", { config: { rateLimit: new Date() } }, ok),
    // @ts-expect-error: an error is not options
    app.get("/n", { config: { rateLimit: new Error("none") } }, ok),
    // @ts-expect-error: a regular expression is not options
    app.get("/o", { config: { rateLimit: /10/ } }, ok),
    // @ts-expect-error: limitByUser must be called
    app.get("/i", { config: { rateLimit: limitByUser } }, ok),
    // @ts-expect-error: in an array too, a function of the request returns a policy
    app.get("/j", { config: { rateLimit: [{ rate: 1 }, async () => "10/m"] } }, ok),
    // @ts-expect-error: an array must not contain an array
    app.get("/k", { config: { rateLimit: [[{ rate: 1 }]] } }, ok),
    // @ts-expect-error: a user limit takes no key
    limitByUser({ rate: 100, key: () => "a" }),
  ];
  expectTypeOf(mistakes).returns.toBeArray();
});
