import { type Exchange, forwardedIgnored, type ProxyAdvice, type RequestRateLimit, settleAfterResponse } from "@ratelimit/core/adapter";
import type { FastifyReply, FastifyRequest } from "fastify";

/** What `onLimited` gets after the result and the request. */
export type Framework = [reply: FastifyReply];

/** What comes after a limit: the next one, or the rest of the request. */
export interface Next {
  proceed(request: FastifyRequest, reply: FastifyReply): void;
  fail(error: Error): void;
}

/** Adapts a Fastify request and its reply. */
export class FastifyExchange implements Exchange<Framework> {
  readonly ip: string;
  readonly socketAddress: string | undefined;
  readonly #request: FastifyRequest;
  readonly #reply: FastifyReply;
  readonly #next: Next;
  #refusal: number | undefined;
  #isAnswered = false;

  constructor(request: FastifyRequest, reply: FastifyReply, next: Next) {
    this.#request = request;
    this.#reply = reply;
    this.#next = next;
    // Read now: if the connection ends while a callback is pending, the address is gone.
    this.ip = request.ip;
    this.socketAddress = request.socket.remoteAddress;
  }

  get method(): string {
    return this.#request.method;
  }

  get url(): string {
    return this.#request.originalUrl;
  }

  /** The same object as in Express's adapter, so that its middlewares in middie and this plugin share one set of headers. */
  get carrier(): object {
    return this.#request.raw.rawHeaders;
  }

  get isGone(): boolean {
    return this.#request.socket.destroyed;
  }

  /**
   * The reply, changed in two ways. It notes that `send` was called, because Fastify says that a reply was sent only once all of it was
   * written. And it is not thenable, so that an `onLimited` whose last expression is the reply, as in `reply.header(…)`, does not wait for
   * an answer that never comes.
   */
  get framework(): Framework {
    const reply = this.#reply;
    const send = reply.send.bind(reply);
    reply.send = (payload) => {
      this.#isAnswered = true;
      return send(payload);
    };
    // biome-ignore lint/suspicious/noThenProperty: it hides the one that Fastify defines
    Object.defineProperty(reply, "then", { value: undefined });
    return [reply];
  }

  get isSent(): boolean {
    return this.#isAnswered || this.#reply.sent || this.#reply.raw.headersSent;
  }

  header(name: string): string | undefined {
    return this.#request.headers[name.toLowerCase()]?.toString();
  }

  responseHeader(name: string): string | undefined {
    return this.#reply.getHeader(name)?.toString();
  }

  /**
   * Sets the header on the reply: once Node's own response has headers, it sends those of the reply in a slower way. But middleware in
   * @fastify/middie sees only Node's response, and may be a limit that sets the same headers.
   */
  setHeader(name: string, value: string): void {
    const hasMiddleware = "use" in this.#request.server;
    if (hasMiddleware) this.#reply.raw.setHeader(name, value);
    if (!hasMiddleware || this.#reply.getHeader(name) !== value) this.#reply.header(name, value);
  }

  removeHeader(name: string): void {
    this.#reply.raw.removeHeader(name);
    this.#reply.removeHeader(name);
  }

  attach(decision: RequestRateLimit): void {
    this.#request.rateLimit = decision;
  }

  /** Sets Node's own status: after `reply.code`, a `reply.redirect` without a status would keep it. */
  refuse(status: number): void {
    this.#refusal = status;
    this.#reply.raw.statusCode = status;
  }

  /** Without a serializer, Fastify adds a charset to the Content-Type of a string. */
  send(body: string): void {
    this.#reply.serializer(asItIs).send(body);
  }

  /** Leaves a hijacked reply to whoever hijacked it. */
  end(): void {
    if (!this.#reply.sent) this.#reply.raw.end();
  }

  reply(value: unknown): void {
    this.#reply.send(value);
  }

  whenOver(settle: (status: number) => void): void {
    settleAfterResponse(this.#reply.raw, settle);
  }

  proceed(): void {
    this.#next.proceed(this.#request, this.#reply);
  }

  /** A refusal whose `onLimited` threw an error without a status keeps its own. */
  fail(error: Error & { status?: number; statusCode?: number }): void {
    if (this.#refusal !== undefined && error.status === undefined && error.statusCode === undefined) this.#reply.code(this.#refusal);
    this.#next.fail(error);
  }

  proxyAdvice(): ProxyAdvice | undefined {
    const trustProxy = trustProxyOf(this.#request.server);
    if (typeof trustProxy === "number" && countsNoProxies(this.#request.server.version)) return trustsNobody;
    return trustProxy ? undefined : forwardedIgnored;
  }
}

function asItIs(body: unknown): string {
  return body as string;
}

const trustsNobody: ProxyAdvice = {
  code: "RATELIMIT_FASTIFY_TRUST_PROXY",
  message:
    "Fastify's numeric `trustProxy` trusts nobody since 5.12.1, so all clients behind the proxy share one address; set their networks, or the option `trust`",
};

/** Whether this version of Fastify ignores a numeric `trustProxy`. */
function countsNoProxies(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split(/[.-]/).map(Number);
  return major > 5 || (major === 5 && (minor > 12 || (minor === 12 && patch >= 1)));
}

/** Fastify keeps its options behind a private symbol, and `initialConfig` omits `trustProxy`. */
function trustProxyOf(scope: object | null): unknown {
  if (scope === null) return undefined;
  const options = Object.getOwnPropertySymbols(scope).find(({ description }) => description === "fastify.options");
  return options === undefined
    ? trustProxyOf(Object.getPrototypeOf(scope) as object | null)
    : (scope as Record<symbol, { trustProxy?: unknown }>)[options]?.trustProxy;
}
