import type { RequestRateLimit } from "@ratelimit/core/http";
import { limitByApiKey, limitByUser, rateLimit } from "@ratelimit/express";
import type { NextFunction, Request, RequestHandler, Response } from "express";
import express from "express";
import { expectTypeOf, test } from "vitest";

test("callbacks in the options get Express's request type", () => {
  const limit = rateLimit({
    rate: 100,
    key: (req) => {
      expectTypeOf(req).toEqualTypeOf<Request>();
      return req.get("x-tenant");
    },
    cost: async (req) => Number(req.query["pages"] ?? 1),
    skip: (req) => req.secure,
    refund: (req, status) => {
      expectTypeOf(status).toEqualTypeOf<number>();
      return req.method === "POST" && status < 400;
    },
    onLimited: (result, req, res, next) => {
      expectTypeOf(result).toEqualTypeOf<RequestRateLimit>();
      expectTypeOf(req).toEqualTypeOf<Request>();
      expectTypeOf(res).toEqualTypeOf<Response>();
      expectTypeOf(next).toEqualTypeOf<NextFunction>();
    },
  });
  expectTypeOf(limit).toExtend<RequestHandler>();
  expectTypeOf(limitByUser({ rate: 1, user: async (req) => req.ip })).toExtend<RequestHandler>();
  expectTypeOf(limitByApiKey({ rate: 1, valid: (key, req) => key === req.get("x-known") })).toExtend<RequestHandler>();
});

test("req.rateLimit is typed", () => {
  express().get("/", (req) => {
    expectTypeOf(req.rateLimit).toEqualTypeOf<RequestRateLimit | undefined>();
    expectTypeOf(req.rateLimit?.all).toEqualTypeOf<readonly RequestRateLimit[] | undefined>();
  });
});

test("a route keeps the types of its parameters", () => {
  const stored = rateLimit({ rate: 1 });
  express().get("/files/:name", rateLimit({ rate: 1 }), stored, limitByUser({ rate: 1 }), limitByApiKey({ rate: 1 }), (req) => {
    expectTypeOf(req.params.name).toEqualTypeOf<string>();
  });
});

test("options from variables and configuration files compile", () => {
  const limits = [
    { name: "second", rate: 1, period: "1s" },
    { name: "minute", rate: 10, period: "1m" },
  ];
  const options = { rate: 5, period: "1m" };
  rateLimit({ limits });
  rateLimit(options);
  rateLimit({ ...options, block: String("10m") });
  rateLimit({ limiter: () => options });
});

test("mistakes do not compile", () => {
  const mistakes = (): unknown[] => [
    // @ts-expect-error: a policy is required
    rateLimit(),
    // @ts-expect-error: unknown option
    rateLimit({ rate: 100, brust: 5 }),
    // @ts-expect-error: unknown mode
    rateLimit({ rate: 100, headers: "draft-9" }),
    // @ts-expect-error: a user limit takes no key
    limitByUser({ rate: 100, key: () => "a" }),
    // @ts-expect-error: a key is a string, number or bigint
    rateLimit({ rate: 100, key: () => ({}) }),
    // @ts-expect-error: true would trust everyone
    rateLimit({ rate: 100, trust: true }),
  ];
  expectTypeOf(mistakes).returns.toBeArray();
});
