import { type FetchLimit, limitByApiKey, limitByUser, type RequestRateLimit, rateLimit, rateLimitOf } from "@ratelimit/fetch";
import { type Context, Hono, type MiddlewareHandler } from "hono";
import { expectTypeOf, test } from "vitest";

/** Type-checks, but does not run. */
function compiles(_program: () => unknown): void {}

interface Info {
  readonly remoteAddr: { readonly hostname: string };
}

test("callbacks in the options get the web's request", () => {
  const limit = rateLimit({
    rate: 100,
    key: (request) => {
      expectTypeOf(request).toEqualTypeOf<Request>();
      return request.headers.get("x-tenant");
    },
    cost: async (request) => Number(new URL(request.url).searchParams.get("pages") ?? 1),
    refund: (request, status) => {
      expectTypeOf(status).toEqualTypeOf<number>();
      return request.method === "POST" && status < 400;
    },
    onLimited: (result, request) => {
      expectTypeOf(result).toEqualTypeOf<RequestRateLimit>();
      return new Response(request.url);
    },
  });
  expectTypeOf(limit).toEqualTypeOf<FetchLimit>();
  limitByUser({ rate: 1, user: async (request) => request.headers.get("x-user") });
  limitByApiKey({ rate: 1, valid: (key, request) => key === request.headers.get("x-known") });
  expectTypeOf(rateLimitOf).returns.toEqualTypeOf<RequestRateLimit | undefined>();
});

test("callbacks that read what the platform passes along have its type, and the limited handler asks for it", () => {
  const limit = rateLimit<[info: Info]>({ rate: 100, ip: (_request, info) => info.remoteAddr.hostname });
  limitByApiKey<[info: Info]>({ rate: 1, valid: (_key, _request, { remoteAddr }) => remoteAddr.hostname === "::1" });
  expectTypeOf(limit(() => new Response())).toBeCallableWith(new Request("http://a/"), { remoteAddr: { hostname: "::1" } });
  // @ts-expect-error: without what the callbacks read
  compiles(() => limit(() => new Response())(new Request("http://a/")));
  const more = limit((_request: Request, _info: Info, _more: number) => new Response());
  expectTypeOf(more).parameters.toEqualTypeOf<[Request, Info, number, ...unknown[]]>();
  // @ts-expect-error: the handler gets something else than the callbacks read
  compiles(() => limit((_request: Request, _info: string) => new Response()));
});

test("a limited handler takes what the handler takes: a subclass of Request, the platform's arguments, or nothing more", () => {
  class NextRequest extends Request {
    readonly nextUrl = new URL(this.url);
  }
  const limit = rateLimit({ rate: 100 });
  const GET = limit(async (request: NextRequest, { params }: { params: Promise<{ id: string }> }) =>
    Response.json([request.nextUrl, await params]),
  );
  expectTypeOf(GET).parameters.toEqualTypeOf<[NextRequest, { params: Promise<{ id: string }> }, ...unknown[]]>();
  expectTypeOf(GET).returns.resolves.toEqualTypeOf<Response>();
  expectTypeOf(limit(() => new Response())).toBeCallableWith(new Request("http://a/"), "whatever else the platform has");
  expectTypeOf(limit(() => undefined)).returns.resolves.toEqualTypeOf<Response | undefined>();
  expectTypeOf(limit(async () => (Math.random() > 1 ? new Response() : undefined))).returns.resolves.toEqualTypeOf<Response | undefined>();
});

test("a user can come from Hono's context", () => {
  interface Environment {
    readonly Variables: { readonly user?: { readonly id: string } };
  }
  const limit = limitByUser<[c: Context<Environment>]>({ rate: 100, user: (_request, c) => c.get("user")?.id });
  const middleware: MiddlewareHandler<Environment> = async (c, next) => {
    c.res = await limit(async () => {
      await next();
      return c.res;
    })(c.req.raw, c);
  };
  compiles(() => new Hono<Environment>().use(middleware));
});

test("mistakes do not compile", () => {
  compiles(() => [
    // @ts-expect-error: a policy is required
    rateLimit(),
    // @ts-expect-error: unknown option
    rateLimit({ rate: 100, brust: 5 }),
    // @ts-expect-error: unknown mode
    rateLimit({ rate: 100, headers: "draft-9" }),
    // @ts-expect-error: a user limit takes no key
    limitByUser({ rate: 100, user: () => 1, key: () => "a" }),
    // @ts-expect-error: a fetch request has no user of its own
    limitByUser({ rate: 100 }),
    // @ts-expect-error: what callbacks read has to be declared
    rateLimit({ rate: 100, ip: (_request, info: Info) => info.remoteAddr.hostname }),
    // @ts-expect-error: a handler returns a response
    rateLimit({ rate: 100 })(() => "ok"),
  ]);
});
