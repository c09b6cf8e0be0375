import {
  type Awaitable,
  clientClosed,
  type Exchange,
  forwardedIgnored,
  isPromise,
  type ProxyAdvice,
  type RequestRateLimit,
} from "@ratelimit/core/adapter";
import { exposedHeaders } from "@ratelimit/core/http";
import { addressOf, keepAlive } from "./platform.ts";

/** The property of a request that holds its decision. A global symbol, so that all copies of this package share it. */
const decisionSlot: unique symbol = Symbol.for("@ratelimit/fetch decision");

type Limited = Request & { [decisionSlot]?: RequestRateLimit };

/**
 * Returns the tightest decision made about a request so far, or `undefined` if no limit has checked it; `all` has every one, and
 * `of(name)` one limiter's.
 */
export function rateLimitOf(request: Request): RequestRateLimit | undefined {
  return (request as Limited)[decisionSlot];
}

const limitFields = new Set(
  Object.values(exposedHeaders)
    .flat()
    .map((name) => name.toLowerCase()),
);

/** The one field that a handler and a limit may both have values for. */
const exposeField = "access-control-expose-headers";

/**
 * Adapts a web-standard request, and builds the response to it. Bun's handlers return `undefined` after an upgrade.
 *
 * It is also what core passes to callbacks as the request; `forExchange` unpacks it.
 */
export class FetchExchange implements Exchange<[]> {
  readonly framework: [] = [];
  readonly request: Limited;
  /** What the platform passes to a handler after the request. */
  readonly context: readonly unknown[];
  readonly ip: string | undefined;
  readonly #handle: () => Awaitable<Response | undefined>;
  readonly #headers = new Headers();
  #status = 200;
  #decision: RequestRateLimit | undefined;
  #settle: ((status: number) => Awaitable<void>) | undefined;
  #response: Response | undefined;
  readonly #hangUp = (): void => this.settle(clientClosed);

  constructor(request: Request, context: readonly unknown[], handle: () => Awaitable<Response | undefined>) {
    this.request = request;
    this.context = context;
    this.ip = addressOf(request, context);
    this.#handle = handle;
  }

  get carrier(): Request {
    return this.request;
  }

  get method(): string {
    return this.request.method;
  }

  get url(): string {
    return this.request.url;
  }

  get socketAddress(): string | undefined {
    return this.ip;
  }

  get isSent(): boolean {
    return this.#response !== undefined;
  }

  /** The response to return, or what a handler returned instead of one. */
  get response(): Response | undefined {
    return this.#response;
  }

  header(name: string): string | undefined {
    return this.request.headers.get(name) ?? undefined;
  }

  responseHeader(name: string): string | undefined {
    return this.#headers.get(name) ?? undefined;
  }

  setHeader(name: string, value: string): void {
    this.#headers.set(name, value);
  }

  removeHeader(name: string): void {
    this.#headers.delete(name);
  }

  attach(decision: RequestRateLimit): void {
    this.#decision = decision;
    this.request[decisionSlot] = decision;
  }

  refuse(status: number): void {
    this.#status = status;
  }

  send(body: string): void {
    const isHead = this.method === "HEAD";
    this.#response = new Response(isHead ? null : body, { status: this.#status, headers: this.#headers });
  }

  canReply(value: unknown): boolean {
    return isResponse(value);
  }

  reply(value: unknown): void {
    if (isResponse(value)) this.#respond(value);
    else if (typeof value === "string") this.#respond(new Response(value, { status: this.#status }));
    else if (value instanceof Uint8Array) this.#respond(new Response(value as Uint8Array<ArrayBuffer>, { status: this.#status }));
    else this.#respond(Response.json(value, { status: this.#status }));
  }

  /** A platform that knows that a client has hung up aborts the request's signal. */
  whenOver(settle: (status: number) => Awaitable<void>): void {
    this.#settle = settle;
    const { signal } = this.request;
    if (signal.aborted) this.#hangUp();
    else signal.addEventListener("abort", this.#hangUp);
  }

  /** Calls what waits for the end of the response. Whether the client received it is unknown here. */
  settle(status: number): void {
    if (this.#settle === undefined) return;
    const settled = this.#settle(status);
    this.#settle = undefined;
    // Deno also aborts after a success, and warns if anybody listens.
    this.request.signal.removeEventListener("abort", this.#hangUp);
    if (isPromise(settled)) keepAlive(settled, this.context);
  }

  async proceed(): Promise<void> {
    this.#respond(await this.#handle());
    this.settle(this.#response?.status ?? switchingProtocols);
  }

  fail(error: Error): never {
    throw error;
  }

  /** Whether X-Forwarded-For is ignored. Where there is no address at all, RATELIMIT_NO_ADDRESS says so. */
  proxyAdvice(): ProxyAdvice | undefined {
    return this.ip === undefined ? undefined : forwardedIgnored;
  }

  /**
   * Adds the headers to a response. Those that a handler set win. If a limit inside this one has decided too, its fields cover this limit,
   * and ours are outdated.
   */
  #respond(response: Response | undefined): void {
    if (response === undefined || !isChangeable(response)) {
      this.#response = response;
      return;
    }
    const answer = ownVersion(response);
    const { headers } = answer;
    const isCovered = this.request[decisionSlot] !== this.#decision;
    for (const [name, value] of this.#headers) {
      if (name === exposeField) headers.set(name, union(headers.get(name), value));
      else if ((!headers.has(name) || changed.has(response)) && !(isCovered && limitFields.has(name))) headers.set(name, value);
    }
    changed.add(answer);
    this.#response = answer;
  }
}

const switchingProtocols = 101;

/** The responses that have fields of ours, which a handler that returns the same response again has not set. */
const changed = new WeakSet<Response>();

/** Whether a response can be changed at all: not a WebSocket upgrade, which belongs to its platform, nor `Response.error()`. */
function isChangeable({ status }: Response): boolean {
  return status >= 200;
}

/**
 * Returns the response itself if it is the platform's, its headers can be changed and it has a body. Without one it may be a constant that
 * answers many requests. A copy costs more: its body is a stream, so most servers send it in chunks.
 */
function ownVersion(response: Response): Response {
  const { headers, status, statusText } = response;
  // Looking at the body itself would make it a stream too.
  if (response instanceof Response && headers.has("content-type") && !isImmutable(headers)) return response;
  // Hono's server for Node replaces `Response` with one that would share these headers with the original.
  return new Response(response.body, { status, statusText, headers: new Headers(headers) });
}

/** Headers from `fetch` and `Response.redirect` are immutable, which only an attempt shows. */
function isImmutable(headers: Headers): boolean {
  try {
    headers.delete("x-ratelimit-attempt");
    return false;
  } catch {
    return true;
  }
}

/** Whether a value is a response of any implementation of fetch. A process may have several, as in Next.js. */
function isResponse(value: unknown): value is Response {
  return Object.prototype.toString.call(value) === "[object Response]";
}

function union(before: string | null, added: string): string {
  const names = (before?.split(",") ?? []).map((name) => name.trim());
  const lower = new Set(names.map((name) => name.toLowerCase()));
  return [...names, ...added.split(", ").filter((name) => !lower.has(name.toLowerCase()))].join(", ");
}
