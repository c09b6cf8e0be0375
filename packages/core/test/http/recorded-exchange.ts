import type { Backend } from "@ratelimit/core";
import {
  createMiddlewares,
  type Exchange,
  type HttpRequest,
  type Limit,
  type LimitByApiKeyOptions,
  type LimitByUserOptions,
  type RateLimitOptions,
  type RequestRateLimit,
} from "@ratelimit/core/adapter";
import { tableBackend } from "../support/backends.ts";

/** What became of a request. */
export type Outcome =
  | { readonly kind: "skip" }
  | { readonly kind: "pass"; readonly headers: Record<string, string>; readonly result: RequestRateLimit }
  | {
      readonly kind: "refuse";
      readonly status: number;
      readonly headers: Record<string, string>;
      readonly body: string | undefined;
      readonly result: RequestRateLimit;
    };

/** A framework without a server: it describes requests and records what happens to them. */
export class RecordedExchange implements Exchange<[]> {
  readonly framework: [] = [];
  readonly isSent = false;
  readonly headers: Record<string, string> = {};
  readonly #http: HttpRequest;
  #result: RequestRateLimit | undefined;
  #status: number | undefined;
  outcome: Outcome | undefined;

  constructor(http: HttpRequest) {
    this.#http = http;
  }

  get method(): string {
    return this.#http.method;
  }

  get url(): string {
    return this.#http.url;
  }

  get ip(): string | undefined {
    return this.#http.ip;
  }

  get socketAddress(): string | undefined {
    return this.#http.socketAddress;
  }

  header(name: string): string | undefined {
    return this.#http.header(name);
  }

  proxyAdvice(): ReturnType<NonNullable<HttpRequest["proxyAdvice"]>> {
    return this.#http.proxyAdvice?.();
  }

  responseHeader(name: string): string | undefined {
    return this.headers[name];
  }

  setHeader(name: string, value: string): void {
    this.headers[name] = value;
  }

  removeHeader(name: string): void {
    delete this.headers[name];
  }

  attach(result: RequestRateLimit): void {
    this.#result = result;
  }

  refuse(status: number): void {
    this.#status = status;
  }

  send(body: string): void {
    this.#end(body);
  }

  reply(value: unknown): void {
    this.#end(value as string);
  }

  whenOver(settle: (status: number) => void): void {
    settle(200);
  }

  proceed(): unknown {
    const { headers } = this;
    this.outcome = this.#result === undefined ? { kind: "skip" } : { kind: "pass", headers, result: this.#result };
    return undefined;
  }

  fail(error: Error): void {
    throw error;
  }

  #end(body: string): void {
    const { headers } = this;
    this.outcome = { kind: "refuse", status: this.#status as number, headers, body, result: this.#result as RequestRateLimit };
  }
}

/** Decides about a request: synchronously, unless something has to be awaited. */
export type Guard<Req> = (req: Req) => Outcome | Promise<Outcome>;

type Describe<Req> = (req: Req) => HttpRequest;

function guards<Req extends object>(describe: Describe<Req>, userOf: (req: Req) => unknown, defaultBackend?: () => Backend) {
  const middleware = (limit: Limit<Req, []>): Guard<Req> => {
    return (req) => {
      const exchange = new RecordedExchange(describe(req));
      const admitted = limit.admit(req, exchange);
      if (exchange.outcome === undefined) return admitted.then(() => exchange.outcome as Outcome);
      admitted.catch(() => {});
      return exchange.outcome;
    };
  };
  return createMiddlewares<Req, [], Guard<Req>>({ userOf, middleware, ...(defaultBackend && { defaultBackend }) });
}

export function createGuard<Req extends object>(
  options: RateLimitOptions<Req, []>,
  describe: Describe<Req>,
  defaultBackend?: () => Backend,
): Guard<Req> {
  return guards(describe, () => undefined, defaultBackend).rateLimit(options);
}

export function createUserGuard<Req extends object>(
  options: LimitByUserOptions<Req, []>,
  describe: Describe<Req>,
  userOf: (req: Req) => unknown,
  defaultBackend?: () => Backend,
): Guard<Req> {
  return guards(describe, userOf, defaultBackend).limitByUser(options);
}

export function createApiKeyGuard<Req extends object>(
  options: LimitByApiKeyOptions<Req, []>,
  describe: Describe<Req>,
  defaultBackend?: () => Backend,
): Guard<Req> {
  return guards(describe, () => undefined, defaultBackend).limitByApiKey(options);
}

// These tests decide in the turn in which they make a guard, as a handler does that makes a limit for every request. The warning about
// that comes once per process; here, so that it is not counted in a test.
const local = { method: "GET", url: "/", ip: "127.0.0.1", socketAddress: "127.0.0.1", header: () => undefined };
for (let i = 0; i < 2; i++) void createGuard({ rate: 1, skip: () => true, backend: tableBackend(), name: "warned" }, () => local)({});
