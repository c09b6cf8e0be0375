import type { IncomingMessage, ServerResponse } from "node:http";
import {
  type Awaitable,
  answerExceeded,
  createMiddlewares,
  type Exchange,
  type HttpRequest,
  type Limit,
  settleAfterResponse,
} from "@ratelimit/core/adapter";
import { BucketTable } from "@ratelimit/core/backend";
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

/** What a request goes through: it passes, or it has been answered. */
export type Pass = (req: ToyRequest) => Promise<boolean>;

/** A correct adapter on plain `node:http`, split into small methods so that each broken adapter only has to override one or two. */
export class ToyAdapter {
  async serve(app: App): Promise<Served> {
    const passes = new Map(
      [...app.limiters, ...app.routes.flatMap(({ limiters }) => limiters)].map((limiter) => [limiter, this.limit(limiter)]),
    );
    const pass = async (limiters: readonly Limiter[], req: ToyRequest): Promise<boolean> => {
      for (const limiter of limiters) if (!(await this.ask(passes.get(limiter) as Pass, req, limiter))) return false;
      return true;
    };
    return listen(async (node, res) => {
      const req: ToyRequest = { node, res, app, method: node.method ?? "", url: node.url ?? "", headers: node.headers };
      try {
        for (const [name, value] of Object.entries(app.fields)) res.setHeader(name, value);
        await app.early(res);
        const route = this.route(req);
        req.user = userIn(req);
        if (!(await pass(app.limiters, req)) || !(await pass(route?.limiters ?? [], req))) return;
        this.send(res, route === undefined ? { status: 404, body: "nothing here" } : await this.handle(route.handler, req));
      } catch (error) {
        if (!this.answer(error, req)) this.fail(req, error as object);
      }
    });
  }

  protected limit({ call, options, onLimited }: Limiter): Pass {
    const middlewares = createMiddlewares<ToyRequest, [], Pass>({
      userOf: (req) => req.user,
      defaultBackend: () => new BucketTable(1000, performance),
      middleware: (limit) => (req) => this.admit(limit, req),
    });
    const respond = async (result: RequestRateLimit, req: ToyRequest): Promise<string | undefined> => {
      const answer = await onLimited?.(result, req);
      if (answer === undefined || typeof answer === "string") return answer;
      this.send(req.res, answer);
      return undefined;
    };
    return middlewares[call]({ ...this.options(options), ...(onLimited && { onLimited: respond }) });
  }

  protected options(options: Limiter["options"]): Limiter["options"] {
    return options;
  }

  /** Returns whether the request goes on. */
  protected async admit(limit: Limit<ToyRequest, []>, req: ToyRequest): Promise<boolean> {
    let isPassed = false;
    await limit.admit(
      req,
      this.exchange(req, () => {
        isPassed = true;
      }),
    );
    return isPassed;
  }

  /** Sends a request through a limit and returns whether it goes on. */
  protected async ask(pass: Pass, req: ToyRequest, _limiter: Limiter): Promise<boolean> {
    return pass(req);
  }

  protected describe({ node, app, method, url }: ToyRequest): HttpRequest {
    const socketAddress = node.socket.remoteAddress;
    const header = (name: string): string | undefined => node.headers[name.toLowerCase()] as string | undefined;
    const forwarded = app.proxied ? header("x-forwarded-for") : undefined;
    const ip = forwarded?.split(",").at(-1) ?? socketAddress;
    return { method, url, ip, socketAddress, isGone: node.socket.destroyed, header };
  }

  protected exchange(req: ToyRequest, proceed: () => void): Exchange<[]> {
    const { res } = req;
    return {
      ...this.describe(req),
      framework: [],
      get isSent() {
        return res.headersSent;
      },
      responseHeader: (name) => res.getHeader(name)?.toString(),
      setHeader: (name, value) => this.set(res, name, value),
      removeHeader: (name) => res.removeHeader(name),
      attach: (decision) => {
        req.rateLimit = decision;
      },
      refuse: (status) => {
        res.statusCode = status;
      },
      send: (body) => this.refuse(body, req),
      end: () => void res.end(),
      reply: (value) => void res.end(value),
      whenOver: (settle) => this.settle(res, settle),
      proceed,
      fail: (error) => {
        throw error;
      },
    };
  }

  protected set(res: ServerResponse, name: string, value: string): void {
    res.setHeader(name, value);
  }

  protected settle(res: ServerResponse, settle: (status: number) => Awaitable<void>): void {
    settleAfterResponse(res, (status) => void settle(status));
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

  protected answer(error: unknown, req: ToyRequest): boolean {
    return answerExceeded(
      error,
      req,
      this.exchange(req, () => {}),
    );
  }

  /** Handles an error the way the frameworks do: its own status, or that of a refusal that is under way. */
  protected fail({ res }: ToyRequest, error: { status?: number; headers?: Record<string, string> }): void {
    if (res.headersSent) return;
    for (const [name, value] of Object.entries(error.headers ?? {})) res.setHeader(name, value);
    const { status = res.statusCode } = error;
    this.send(res, { status: status >= 400 ? status : 500, body: "An error" });
  }

  protected route({ app, method, url }: ToyRequest): Route | undefined {
    const path = new URL(url.startsWith("/") ? `http://a${url.replace(/^\/+/, "/.$&")}` : url, "http://a").pathname;
    return app.routes.find((route) => app.mount + route.path === path && route.method === method.toLowerCase().replace("head", "get"));
  }
}

/** Replaces parts of an exchange, and keeps its getters. */
export function altered(exchange: Exchange<[]>, parts: Partial<Exchange<[]>>): Exchange<[]> {
  return Object.setPrototypeOf(parts, exchange) as Exchange<[]>;
}
