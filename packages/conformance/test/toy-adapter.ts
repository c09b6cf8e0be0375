import type { IncomingMessage, ServerResponse } from "node:http";
import {
  createApiKeyGuard,
  createGuard,
  createUserGuard,
  type Guard,
  type HttpRequest,
  settleAfterResponse,
  throwingErrors,
  type Verdict,
} from "@ratelimit/core/adapter";
import type { RequestRateLimit } from "@ratelimit/core/http";
import {
  type Answer,
  type AnyRequest,
  type App,
  type Handler,
  type Limiter,
  listen,
  type Route,
  type Served,
  userIn,
} from "../src/index.ts";

/** A request in the toy's framework. */
export interface ToyRequest extends AnyRequest {
  readonly node: IncomingMessage;
  readonly res: ServerResponse;
  readonly app: App;
  user?: unknown;
  rateLimit?: RequestRateLimit;
}

/** A broken adapter, and the requirements that must catch it, named by their first words. */
export interface Broken {
  readonly what: string;
  readonly breaks: readonly string[];
  readonly Adapter: typeof ToyAdapter;
}

/** A correct adapter on plain `node:http`, split into small methods so that each broken adapter only has to override one or two. */
export class ToyAdapter {
  async serve(app: App): Promise<Served> {
    const guards = new Map(
      [...app.limiters, ...app.routes.flatMap(({ limiters }) => limiters)].map((limiter) => [limiter, this.guard(limiter)]),
    );
    const pass = async (limiters: readonly Limiter[], req: ToyRequest): Promise<boolean> => {
      for (const limiter of limiters) {
        const verdict = await this.ask(guards.get(limiter) as Guard<ToyRequest>, req);
        if (!(await this.apply(verdict, limiter, req))) return false;
      }
      return true;
    };
    return listen(async (node, res) => {
      const req: ToyRequest = { node, res, app, method: node.method ?? "", url: node.url ?? "", headers: node.headers };
      try {
        for (const [name, value] of Object.entries(app.fields)) res.setHeader(name, value);
        app.early(res);
        const route = this.route(req);
        req.user = userIn(req);
        if (!(await pass(app.limiters, req)) || !(await pass(route?.limiters ?? [], req))) return;
        this.send(res, route === undefined ? { status: 404, body: "nothing here" } : await this.handle(route.handler, req));
      } catch (error) {
        this.fail(req, error as object);
      }
    });
  }

  protected guard({ call, options: given }: Limiter): Guard<ToyRequest> {
    const options = this.options(given);
    const describe = (req: ToyRequest): HttpRequest => this.describe(req);
    if (call === "limitByUser") return createUserGuard(options, describe, (req) => req.user);
    return call === "limitByApiKey" ? createApiKeyGuard(options, describe) : createGuard(options, describe);
  }

  protected options(options: Limiter["options"]): Limiter["options"] {
    return options;
  }

  protected async ask(guard: Guard<ToyRequest>, req: ToyRequest): Promise<Verdict> {
    return guard(req);
  }

  protected describe({ node, res, app, method, url }: ToyRequest): HttpRequest {
    const socketAddress = node.socket.remoteAddress;
    const header = (name: string): string | undefined => node.headers[name.toLowerCase()] as string | undefined;
    return {
      method,
      url,
      ip: (app.proxied ? header("x-forwarded-for") : undefined)?.split(",").at(-1) ?? socketAddress,
      socketAddress,
      header,
      responseHeader: (name) => res.getHeader(name)?.toString(),
    };
  }

  /** Returns whether the request goes on. */
  protected async apply(verdict: Verdict, { onLimited }: Limiter, req: ToyRequest): Promise<boolean> {
    if (verdict.kind === "skip") return true;
    req.rateLimit = verdict.result;
    if (req.res.headersSent) return verdict.kind === "pass";
    this.set(req.res, verdict.headers);
    if (verdict.kind === "pass") {
      if (verdict.settle) this.settle(req.res, verdict.settle);
      return true;
    }
    req.res.statusCode = verdict.status;
    if (onLimited) this.send(req.res, await throwingErrors(onLimited)(verdict.result, req));
    else this.refuse(verdict.body, req);
    return false;
  }

  protected set(res: ServerResponse, headers: Readonly<Record<string, string>>): void {
    for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
  }

  protected settle(res: ServerResponse, settle: NonNullable<Extract<Verdict, { kind: "pass" }>["settle"]>): void {
    settleAfterResponse(res, settle);
  }

  protected refuse(body: string, { res }: ToyRequest): void {
    res.end(body);
  }

  protected handle(handler: Handler, req: ToyRequest): ReturnType<Handler> {
    return handler(req, req.rateLimit);
  }

  protected send(res: ServerResponse, { status, body }: Answer): void {
    if (res.headersSent) return;
    const text = typeof body === "string" ? body : JSON.stringify(body);
    if (typeof body !== "string") res.setHeader("Content-Type", "application/json");
    res.statusCode = status;
    res.setHeader("Content-Length", Buffer.byteLength(text));
    res.end(text);
  }

  /** Handles an error the way the frameworks do. */
  protected fail({ res }: ToyRequest, error: { status?: number; headers?: Record<string, string> }): void {
    if (res.headersSent) return;
    this.set(res, error.headers ?? {});
    this.send(res, { status: error.status !== undefined && error.status >= 400 ? error.status : 500, body: "An error" });
  }

  protected route({ app, method, url }: ToyRequest): Route | undefined {
    const path = new URL(url.startsWith("/") ? `http://a${url.replace(/^\/+/, "/.$&")}` : url, "http://a").pathname;
    return app.routes.find((route) => app.mount + route.path === path && route.method === method.toLowerCase().replace("head", "get"));
  }
}
