import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { RateLimitResult } from "@ratelimit/core";
import type { Awaitable } from "@ratelimit/core/adapter";
import type { LimitByApiKeyOptions, LimitByUserOptions, RateLimitOptions, RequestRateLimit } from "@ratelimit/core/http";

/** The part that requests of all frameworks have in common, and the only part that this suite's option functions read. */
export interface AnyRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

/** A handler's answer, sent in the framework's own way: a string, or an object as JSON. */
export interface Answer {
  readonly status: number;
  readonly body: string | object;
}

/** Handles a route. `rateLimit` is the decision, read from where the adapter puts it. */
export type Handler = (req: AnyRequest, rateLimit: RequestRateLimit | undefined) => Awaitable<Answer>;

/** Options for the three functions of an adapter. `onLimited` is passed separately, because it answers differently in each framework. */
export type LimiterOptions = Omit<RateLimitOptions<AnyRequest>, "onLimited"> &
  Pick<LimitByUserOptions<AnyRequest>, "user" | "anonymous"> &
  Pick<LimitByApiKeyOptions<AnyRequest>, "header" | "valid">;

/** One call of one of an adapter's three functions. */
export interface Limiter {
  readonly call: "rateLimit" | "limitByUser" | "limitByApiKey";
  readonly options: LimiterOptions;
  /** Answers a refusal. A string is returned to the adapter instead of being sent; `undefined` only observes the refusal. */
  readonly onLimited?: ((result: RateLimitResult, req: AnyRequest) => Awaitable<Answer | string | undefined>) | undefined;
}

export interface Route {
  readonly method: "get" | "post";
  readonly path: string;
  /** Limiters in addition to those of the application, outermost first. */
  readonly limiters: readonly Limiter[];
  readonly handler: Handler;
}

/** A framework-neutral description of an application. */
export interface App {
  /** Whether the framework itself trusts one proxy on this machine. */
  readonly proxied: boolean;
  /** Response headers that are set in the framework's own way before any limiter runs. */
  readonly fields: Readonly<Record<string, string>>;
  /** Runs on Node's own response before any limiter, and is awaited. */
  readonly early: (res: ServerResponse) => Awaitable<void>;
  /** `rateLimit` calls that every request passes through, even one without a route; outermost first. */
  readonly limiters: readonly Limiter[];
  /** Before a route's limiters run, the user from {@link userIn} is stored where the framework keeps users. */
  readonly routes: readonly Route[];
  /** The path under which an outer application mounts this one, or `""` if there is none. */
  readonly mount: string;
}

/** A listening server. */
export interface Served {
  readonly port: number;
  close(): Promise<void>;
}

/** Starts an application in one framework with its adapter, on a free loopback port. */
export type Serve = (app: App) => Promise<Served>;

/** Options for a `node:http` server: room for a request with 3,000 headers, which exceeds Node's limit of 16 kB. */
export const serverOptions = { maxHeaderSize: 65_536 } as const;

/** Starts the server that a framework made of an application. */
export async function listen(listener: (req: IncomingMessage, res: ServerResponse) => unknown): Promise<Served> {
  const server = createServer(serverOptions, (req, res) => void listener(req, res));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: portOf(server), close: () => closed(server) };
}

export function portOf(server: Pick<Server, "address">): number {
  return (server.address() as AddressInfo).port;
}

/** Reads the user from the JSON in `X-User`, in place of real authentication. */
export function userIn({ headers }: Pick<AnyRequest, "headers">): unknown {
  const user = headers["x-user"];
  return typeof user === "string" ? JSON.parse(user) : undefined;
}

async function closed(server: Server): Promise<void> {
  const end = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await end;
}
