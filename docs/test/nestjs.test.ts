/** Tries the guard, the decorators and the filters of docs/nestjs.md on both platforms, beyond what the page shows. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type CanActivate, Controller, type ExceptionFilter, Get, type INestApplication, Module, type Type } from "@nestjs/common";
import { APP_FILTER, APP_GUARD, NestFactory } from "@nestjs/core";
import { FastifyAdapter, type NestFastifyApplication } from "@nestjs/platform-fastify";
import { MemoryBackend, type RateLimitExceeded, RateLimiter, type RequestRateLimit, rateLimit } from "@ratelimit/express";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { pages } from "./pages.ts";
import { compiler } from "./programs.ts";

type Decorator = (options: object) => MethodDecorator & ClassDecorator;

/** What the page exports. */
interface Exports {
  readonly RateLimit: Decorator;
  readonly RateLimitByUser: Decorator;
  readonly Decision: () => ParameterDecorator;
  readonly RateLimitGuard: Type<CanActivate>;
  readonly RateLimitFilter: Type<ExceptionFilter>;
  readonly MyFilter: Type<ExceptionFilter>;
}

const folder = join(import.meta.dirname, "../.cache", `nestjs-${process.pid}`);
let page: Exports;

beforeAll(async () => {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(compiler));
  const sections = pages.find(({ path }) => path === "docs/nestjs.md")?.sections ?? [];
  const modules = await Promise.all(
    ["Set it up", "Exceptions"].map(async (heading, i) => {
      const block = sections.find((section) => section.heading === heading)?.blocks.find(({ language }) => language === "ts");
      const path = join(folder, `${i}.ts`);
      writeFileSync(path, block?.lines.join("\n") ?? "");
      return (await import(path)) as object;
    }),
  );
  page = Object.assign({}, ...modules) as Exports;
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What the handlers of the application under test do. */
interface Parts {
  readonly limits: readonly MethodDecorator[];
  readonly controllerLimit?: ClassDecorator;
  readonly filter?: Type<ExceptionFilter>;
  readonly handle?: (decision: RequestRateLimit | undefined) => unknown;
}

const platforms: Readonly<Record<string, (module: Type) => Promise<INestApplication>>> = {
  Express: (module) => NestFactory.create(module, { logger: false, forceCloseConnections: true }),
  Fastify: async (module) => {
    const app = await NestFactory.create<NestFastifyApplication>(module, new FastifyAdapter({ forceCloseConnections: true }), {
      logger: false,
    });
    app
      .getHttpAdapter()
      .getInstance()
      .addHook("onRequest", async (_request, reply) => {
        reply.header("x-hook", "kept");
      });
    return app;
  },
};

const running: INestApplication[] = [];
afterEach(async () => {
  for (const app of running.splice(0)) await app.close();
});

describe.each(Object.entries(platforms))("on %s", (platform, create) => {
  /** Starts an application and returns a function that sends it a request. */
  async function start({ limits, controllerLimit, filter, handle = () => "ok" }: Parts, global?: Parameters<typeof rateLimit>[0]) {
    class Reports {
      get(decision: RequestRateLimit | undefined): unknown {
        return handle(decision);
      }
      other(): string {
        return "other";
      }
    }
    class Authentication implements CanActivate {
      canActivate(context: Parameters<CanActivate["canActivate"]>[0]): boolean {
        const request = context.switchToHttp().getRequest<{ headers: Record<string, string>; user?: object }>();
        if (request.headers["x-user"] !== undefined) request.user = { id: request.headers["x-user"] };
        return true;
      }
    }
    class App {}
    // This repository compiles without decorators, so they are called as functions.
    const method = (name: "get" | "other"): [object, string, PropertyDescriptor] => [
      Reports.prototype,
      name,
      Object.getOwnPropertyDescriptor(Reports.prototype, name) as PropertyDescriptor,
    ];
    page.Decision()(Reports.prototype, "get", 0);
    Get("reports")(...method("get"));
    Get("other")(...method("other"));
    for (const limit of limits) limit(...method("get"));
    controllerLimit?.(Reports);
    Controller()(Reports);
    Module({
      controllers: [Reports],
      providers: [
        { provide: APP_GUARD, useClass: Authentication },
        { provide: APP_GUARD, useClass: page.RateLimitGuard },
        ...(filter ? [{ provide: APP_FILTER, useClass: filter }] : []),
      ],
    })(App);
    const app = await create(App);
    running.push(app);
    if (global) app.use(rateLimit(global));
    await app.listen(0, "127.0.0.1");
    const url = await app.getUrl();
    return async (headers: Record<string, string> = {}, path = "/reports") => {
      const response = await fetch(url + path, { headers });
      return { status: response.status, headers: Object.fromEntries(response.headers), body: await response.text() };
    };
  }

  test("a handler's limit and the application's appear together, and each once", async () => {
    const limits = [page.RateLimit({ name: "reports", rate: 1, period: 60, headers: "draft-8" })];
    const send = await start({ limits, filter: page.RateLimitFilter }, { name: "app", rate: 9, period: 9, headers: "draft-8" });
    const first = await send();
    expect(first).toMatchObject({ status: 200, body: "ok" });
    expect(first.headers["ratelimit"]).toBe('"app";r=8;t=8, "reports";r=0;t=60');
    const second = await send();
    expect(second.status).toBe(429);
    expect(second.headers).toMatchObject({
      "ratelimit-policy": '"app";q=9;w=9, "reports";q=1;w=60',
      "retry-after": "60",
      "cache-control": "no-store",
      "content-type": "application/problem+json",
    });
    expect(second.headers["ratelimit"]).toMatch(/^"app";r=7;t=\d+, "reports";r=0;t=60$/);
    expect(second.headers).not.toHaveProperty("x-ratelimit-limit");
    expect(JSON.parse(second.body)).toMatchObject({ status: 429, "violated-policies": ["reports"] });
    if (platform === "Fastify") expect(second.headers["x-hook"]).toBe("kept");
  });

  test("the application's limit refuses before the guard", async () => {
    const send = await start({ limits: [page.RateLimit({ name: "reports", rate: 9 })] }, { name: "app", rate: 1, period: 60 });
    expect((await send()).headers["x-ratelimit-limit"]).toBe("1");
    expect(await send({}, "/unknown")).toMatchObject({ status: 429, headers: { "x-ratelimit-limit": "1" } });
  });

  test("a filter of one's own gets the error, with its status, headers and result", async () => {
    let caught: RateLimitExceeded | undefined;
    class Watching extends (page.MyFilter as Type<ExceptionFilter<RateLimitExceeded>>) {
      override catch(...args: Parameters<ExceptionFilter<RateLimitExceeded>["catch"]>): void {
        caught = args[0];
        super.catch(...args);
      }
    }
    const send = await start({ limits: [page.RateLimit({ name: "reports", rate: 1, period: 60 })], filter: Watching });
    await send();
    const { status, headers, body } = await send();
    expect({ status, body: JSON.parse(body) as object }).toEqual({ status: 429, body: { error: "too many requests", retryAfter: 60 } });
    expect(headers).toMatchObject({ "x-ratelimit-limit": "1", "x-ratelimit-remaining": "0", "retry-after": "60" });
    expect(caught).toMatchObject({ status: 429, statusCode: 429, headers: { "Retry-After": "60" }, result: { name: "reports" } });
  });

  test("without a filter, NestJS answers with the status, the message and the guard's headers", async () => {
    const send = await start({ limits: [page.RateLimit({ rate: 1, period: 60 })] });
    await send();
    const { status, headers, body } = await send();
    expect([status, body]).toEqual([429, '{"statusCode":429,"message":"Rate limit exceeded: retry in 60 seconds"}']);
    expect(headers).toMatchObject({ "x-ratelimit-limit": "1", "retry-after": "60" });
  });

  test("the filter answers what enforce throws, in the modes of the request's limits", async () => {
    const limiter = new RateLimiter({ name: "exports", rate: 1, period: 60, backend: new MemoryBackend() });
    const limits = [page.RateLimit({ name: "reports", rate: 9, period: 9, headers: "draft-8" })];
    const send = await start({ limits, filter: page.RateLimitFilter, handle: () => limiter.enforce("ada") });
    expect((await send()).status).toBe(200);
    const { status, headers } = await send();
    expect(status).toBe(429);
    expect(headers["ratelimit"]).toMatch(/^"reports";r=7;t=\d+, "exports";r=0;t=60$/);
    expect(headers["retry-after"]).toBe("60");
  });

  test("limits by user count each user alone", async () => {
    const send = await start({ limits: [page.RateLimitByUser({ rate: 1, period: 60 })], filter: page.RateLimitFilter });
    expect((await send({ "x-user": "ada" })).status).toBe(200);
    expect((await send({ "x-user": "ada" })).status).toBe(429);
    expect((await send({ "x-user": "bob" })).status).toBe(200);
  });

  test("a request without a user is a 401 with a challenge, and a denied address a 403", async () => {
    const byUser = await start({ limits: [page.RateLimitByUser({ rate: 1, anonymous: "refuse" })], filter: page.RateLimitFilter });
    const { status, headers, body } = await byUser();
    expect([status, body]).toEqual([401, '{"statusCode":401,"message":"Refused"}']);
    expect(headers).toMatchObject({ "www-authenticate": "Bearer" });
    const denied = await start({ limits: [page.RateLimit({ rate: 1, deny: ["127.0.0.1"] })], filter: page.RateLimitFilter });
    expect((await denied()).status).toBe(403);
  });

  test("the handler's limit replaces its controller's, whose budget the other handlers share", async () => {
    const controllerLimit = page.RateLimit({ name: "controller", rate: 1, period: 60 });
    const send = await start({ limits: [page.RateLimit({ name: "handler", rate: 7 })], controllerLimit, filter: page.RateLimitFilter });
    expect((await send()).headers["x-ratelimit-limit"]).toBe("7");
    expect((await send({}, "/other")).status).toBe(200);
    expect((await send({}, "/other")).status).toBe(429);
    expect((await send()).status).toBe(200);
  });

  test("handlers find the decision, and can charge it", async () => {
    const limits = [page.RateLimit({ name: "llm", rate: 100, period: 60 })];
    const send = await start(
      { limits, handle: async (decision) => ({ left: (await decision?.of("llm")?.charge(9))?.remaining }) },
      { rate: 500 },
    );
    expect((await send()).body).toBe('{"left":90}');
  });

  test("a failing key is a 500 and lifts no limit", async () => {
    const key = (): never => {
      throw new Error("key");
    };
    const send = await start({ limits: [page.RateLimit({ rate: 1, key })], filter: page.RateLimitFilter });
    expect((await send()).status).toBe(500);
  });
});
