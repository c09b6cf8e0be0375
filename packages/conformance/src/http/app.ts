import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { RateLimitResult } from "@ratelimit/core";
import type { Awaitable } from "@ratelimit/core/adapter";
import type { LimitByApiKeyOptions, LimitByUserOptions, RateLimitOptions, RequestRateLimit } from "@ratelimit/core/http";

/** What the requests of all frameworks have in common: all that the functions among the options of this suite look at. */
export interface AnyRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

/** What a handler answers, by the framework's own means: a text, or an object as JSON. */
export interface Answer {
  readonly status: number;
  readonly body: string | object;
}

/** What a route does. `rateLimit` is the decision where the adapter puts it. */
export type Handler = (req: AnyRequest, rateLimit: RequestRateLimit | undefined) => Awaitable<Answer>;

/** The options of the three functions of an adapter; `onLimited` answers in place of the refusal's own page. */
export type LimiterOptions = Omit<RateLimitOptions<AnyRequest>, "onLimited"> &
  Pick<LimitByUserOptions<AnyRequest>, "user" | "anonymous"> &
  Pick<LimitByApiKeyOptions<AnyRequest>, "header" | "valid">;

/** One call of one of the three functions of an adapter. */
export interface Limiter {
  readonly call: "rateLimit" | "limitByUser" | "limitByApiKey";
  readonly options: LimiterOptions;
  readonly onLimited?: ((result: RateLimitResult, req: AnyRequest) => Awaitable<Answer>) | undefined;
}

export interface Route {
  readonly method: "get" | "post";
  readonly path: string;
  /** Beside those of the application, outermost first. */
  readonly limiters: readonly Limiter[];
  readonly handler: Handler;
}

/** An application in no framework's words. */
export interface App {
  /** Whether the framework itself believes one proxy, on this machine. */
  readonly proxied: boolean;
  /** Fields of the response that are set before any limiter runs, by the framework's own means. */
  readonly fields: Readonly<Record<string, string>>;
  /** Runs before any limiter, on Node's own response. */
  readonly early: (res: ServerResponse) => void;
  /** What every request passes, one without a route too; outermost first. Only `rateLimit`. */
  readonly limiters: readonly Limiter[];
  /** Before the limiters of a route, the user of {@link userIn} is where the framework keeps users. */
  readonly routes: readonly Route[];
  /** Where in an outer application this one is mounted; `""`: it stands alone. */
  readonly mount: string;
}

/** A server that listens. */
export interface Served {
  readonly port: number;
  close(): Promise<void>;
}

/** Starts an application in one framework, with its adapter, on a free port of the loopback address. */
export type Serve = (app: App) => Promise<Served>;

/** What a server of node:http is made with: room for the 3,000 fields of a request, which are more than the 16 kB that Node allows. */
export const serverOptions = { maxHeaderSize: 65_536 } as const;

/** Starts what a framework made of an application. */
export async function listen(listener: (req: IncomingMessage, res: ServerResponse) => unknown): Promise<Served> {
  const server = createServer(serverOptions, (req, res) => void listener(req, res));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: portOf(server), close: () => closed(server) };
}

export function portOf(server: Pick<Server, "address">): number {
  return (server.address() as AddressInfo).port;
}

/** Who a request says it is, for want of an authentication: JSON in `X-User`. */
export function userIn({ headers }: Pick<AnyRequest, "headers">): unknown {
  const user = headers["x-user"];
  return typeof user === "string" ? JSON.parse(user) : undefined;
}

async function closed(server: Server): Promise<void> {
  const end = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await end;
}
