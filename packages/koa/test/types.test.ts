import Router from "@koa/router";
import type { RequestRateLimit } from "@ratelimit/core/http";
import { limitByApiKey, limitByUser, type RateLimitState, rateLimit } from "@ratelimit/koa";
import Koa, { type Context, type Next } from "koa";
import { expectTypeOf, test } from "vitest";

test("callbacks in the options get Koa's context type", () => {
  rateLimit({
    rate: 100,
    key: (ctx) => {
      expectTypeOf(ctx).toEqualTypeOf<Context>();
      return ctx.get("x-tenant");
    },
    cost: async (ctx) => Number(ctx.query["pages"] ?? 1),
    refund: (ctx, status) => {
      expectTypeOf(status).toEqualTypeOf<number>();
      return ctx.method === "POST" && status < 400;
    },
    onLimited: (result, ctx, next) => {
      expectTypeOf(result).toEqualTypeOf<RequestRateLimit>();
      expectTypeOf(ctx).toEqualTypeOf<Context>();
      expectTypeOf(next).toEqualTypeOf<Next>();
    },
  });
  limitByUser({ rate: 1, user: async (ctx) => ctx.ip });
  limitByApiKey({ rate: 1, valid: (key, ctx) => key === ctx.get("x-known") });
});

test("ctx.state.rateLimit is typed, along with the app's own state", () => {
  interface State extends RateLimitState {
    tenant?: string;
  }
  new Koa<State>().use(rateLimit<State>({ rate: 100 })).use((ctx) => {
    expectTypeOf(ctx.state.rateLimit).toEqualTypeOf<RequestRateLimit | undefined>();
    expectTypeOf(ctx.state.tenant).toEqualTypeOf<string | undefined>();
  });
  new Router<RateLimitState>().get("/", rateLimit({ rate: 100 }), (ctx) => {
    expectTypeOf(ctx.state.rateLimit).toEqualTypeOf<RequestRateLimit | undefined>();
  });
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
  ];
  expectTypeOf(mistakes).returns.toBeArray();
});
