import { type Exchange, forwardedIgnored, type ProxyAdvice, type RequestRateLimit, settleAfterResponse } from "@ratelimit/core/adapter";
import type { NextFunction, Request, Response } from "express";

const trustsEveryone: ProxyAdvice = {
  code: "RATELIMIT_EXPRESS_TRUST_PROXY",
  message: "With Express's `trust proxy: true`, clients can choose their own address; set the number of proxies or their networks",
};

/** What `onLimited` gets after the result and the request. */
export type Framework = [res: Response, next: NextFunction];

/**
 * The methods of an Express response that answer later than they return: they read a file first. Express 4 has `sendfile` too. They return
 * no promise, so a call of one has to be noticed.
 */
const lateAnswers = ["render", "sendFile", "sendfile", "download"] as const;

/** What is absent on a plain request or response of `node:http`, as in connect, socket.io's engine or NestJS on Fastify. */
type Plain<T, K extends keyof T> = Omit<T, K> & Partial<Pick<T, K>>;

/**
 * Adapts a request and response of Express or of plain `node:http`.
 *
 * Every Express request has its own hidden class, so V8 reads its properties slowly and adds new ones even more slowly. Properties are
 * therefore read lazily, and decisions are stored on the `rawHeaders` array instead of the request.
 */
export class ExpressExchange implements Exchange<Framework> {
  readonly ip: string | undefined;
  readonly socketAddress: string | undefined;
  readonly carrier: object | undefined;
  readonly #req: Plain<Request, "originalUrl" | "app">;
  readonly #res: Plain<Response, "send">;
  readonly #next: NextFunction;
  #isPassedOn = false;
  #isAnswering = false;
  #hasProceeded = false;

  constructor(req: Request, res: Response, next: NextFunction) {
    this.#req = req;
    this.#res = res;
    this.#next = next;
    // Read now: if the connection ends while a callback is pending, the address is gone.
    this.socketAddress = req.socket.remoteAddress;
    this.ip = req.ip ?? this.socketAddress;
    this.carrier = req.rawHeaders;
  }

  get method(): string {
    return this.#req.method;
  }

  get url(): string {
    return this.#req.originalUrl ?? this.#req.url;
  }

  get isGone(): boolean {
    return this.#req.socket.destroyed;
  }

  get framework(): Framework {
    this.#noticeLateAnswers();
    const next = (error?: unknown): void => {
      this.#isPassedOn = true;
      this.#next(error);
    };
    return [this.#res as Response, next];
  }

  get isSent(): boolean {
    return this.#res.headersSent || this.#isPassedOn || this.#isAnswering;
  }

  header(name: string): string | undefined {
    return this.#req.headers[name.toLowerCase()]?.toString();
  }

  responseHeader(name: string): string | undefined {
    return this.#res.getHeader(name)?.toString();
  }

  setHeader(name: string, value: string): void {
    this.#res.setHeader(name, value);
  }

  removeHeader(name: string): void {
    this.#res.removeHeader(name);
  }

  attach(decision: RequestRateLimit): void {
    (this.#req as Request).rateLimit = decision;
  }

  refuse(status: number): void {
    this.#res.statusCode = status;
  }

  send(body: string): void {
    this.#res.end(body);
  }

  end(): void {
    this.#res.end();
  }

  reply(value: unknown): void {
    if (this.#res.send !== undefined) {
      // Express 4 sends bytes that are no Buffer as JSON.
      this.#res.send(value instanceof Uint8Array ? Buffer.from(value) : value);
      return;
    }
    const [type, body] = plainBody(value);
    if (this.responseHeader("Content-Type") === undefined) this.setHeader("Content-Type", type);
    this.#res.end(body);
  }

  whenOver(settle: (status: number) => void): void {
    settleAfterResponse(this.#res, settle);
  }

  proceed(): void {
    this.#hasProceeded = true;
    this.#next();
  }

  /** Outside of Express, what comes next may throw. It must not be called again for its own error, which is as uncaught as without a limit. */
  fail(error: Error): void {
    if (!this.#hasProceeded) this.#next(error);
    else
      queueMicrotask(() => {
        throw error;
      });
  }

  proxyAdvice(): ProxyAdvice | undefined {
    const { app, ip } = this.#req;
    // middie sets `ip` to what Fastify found, and Fastify's own proxy setting is not visible here.
    if (app === undefined && ip !== undefined) return undefined;
    const trustProxy = app?.get("trust proxy") as unknown;
    if (trustProxy === true) return trustsEveryone;
    return trustProxy ? undefined : forwardedIgnored;
  }

  #noticeLateAnswers(): void {
    const res = this.#res as Response & Partial<Record<(typeof lateAnswers)[number], (...args: unknown[]) => unknown>>;
    const notice = (): void => {
      this.#isAnswering = true;
    };
    res.once("pipe", notice);
    for (const method of lateAnswers) {
      const answer = res[method];
      if (answer === undefined) continue;
      res[method] = (...args: unknown[]) => {
        notice();
        return answer.apply(res, args as never);
      };
    }
  }
}

/** The type and the bytes of a value on a response that is not Express's. */
function plainBody(value: unknown): readonly [type: string, body: string | Uint8Array] {
  if (typeof value === "string") return ["text/plain; charset=utf-8", value];
  if (value instanceof Uint8Array) return ["application/octet-stream", value];
  return ["application/json; charset=utf-8", JSON.stringify(value)];
}
