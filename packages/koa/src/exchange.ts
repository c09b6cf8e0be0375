import { isRateLimitExceeded } from "@ratelimit/core";
import {
  answerExceeded,
  type Exchange,
  forwardedIgnored,
  type ProxyAdvice,
  type RequestRateLimit,
  settleAfterResponse,
} from "@ratelimit/core/adapter";
import type { Context, Next } from "koa";

const trustsEveryone: ProxyAdvice = {
  code: "RATELIMIT_KOA_PROXY",
  message:
    "With Koa's `proxy: true` and no `maxIpsCount`, clients can choose their own address; set `maxIpsCount` to the number of proxies",
};

/** What `onLimited` gets after the result and the context. */
export type Framework = [next: Next];

/** Adapts a Koa request, reading most properties lazily. */
export class KoaExchange implements Exchange<Framework> {
  readonly ip: string;
  readonly socketAddress: string | undefined;
  readonly #ctx: Context;
  readonly #next: Next;
  /** The names of the headers that were set. */
  readonly #names: string[] = [];
  #refusal: number | undefined;
  #isPassedOn = false;

  constructor(ctx: Context, next: Next) {
    this.#ctx = ctx;
    this.#next = next;
    // Read now: if the connection ends while a callback is pending, the address is gone.
    this.ip = ctx.ip;
    this.socketAddress = ctx.req.socket.remoteAddress;
  }

  get method(): string {
    return this.#ctx.method;
  }

  get url(): string {
    return this.#ctx.originalUrl;
  }

  get framework(): Framework {
    return [
      () => {
        this.#isPassedOn = true;
        return this.#next();
      },
    ];
  }

  /** Koa sends what the context holds in the end, so an answer is a body or a status that the refusal did not set. */
  get isSent(): boolean {
    const { res, respond } = this.#ctx;
    return res.headersSent || this.#isPassedOn || respond === false || this.#isAnswered;
  }

  get #isAnswered(): boolean {
    if (this.#refusal === undefined) return false;
    const { status, body } = this.#ctx;
    return status !== this.#refusal || (body !== null && body !== undefined);
  }

  header(name: string): string | undefined {
    return this.#ctx.get(name) || undefined;
  }

  responseHeader(name: string): string | undefined {
    return this.#ctx.res.getHeader(name)?.toString();
  }

  setHeader(name: string, value: string): void {
    this.#names.push(name);
    this.#ctx.res.setHeader(name, value);
  }

  removeHeader(name: string): void {
    this.#ctx.res.removeHeader(name);
  }

  attach(decision: RequestRateLimit): void {
    this.#ctx.state["rateLimit"] = decision;
  }

  refuse(status: number): void {
    this.#ctx.body = null;
    this.#ctx.status = status;
    this.#refusal = status;
  }

  send(body: string): void {
    this.#ctx.body = body;
  }

  reply(value: unknown): void {
    this.#ctx.body = value;
  }

  whenOver(settle: (status: number) => void): void {
    settleAfterResponse(this.#ctx.res, settle);
  }

  proceed(): Promise<unknown> {
    return this.#next();
  }

  /** Throws an error of the limit, or of the handlers behind it, so that Koa answers it. */
  fail(error: unknown): never {
    this.#answerByDefault(error);
    this.#keepHeadersOn(error);
    throw error;
  }

  proxyAdvice(): ProxyAdvice | undefined {
    const { proxy, maxIpsCount } = this.#ctx.app;
    if (!proxy) return forwardedIgnored;
    return maxIpsCount ? undefined : trustsEveryone;
  }

  /** Makes Koa's own error handling answer a {@link RateLimitExceeded} like a refusal by a limit. An error handler of the app comes first. */
  #answerByDefault(exceeded: unknown): void {
    const ctx = this.#ctx;
    if (!isRateLimitExceeded(exceeded) || Object.hasOwn(ctx, "onerror")) return;
    const onerror = ctx.onerror.bind(ctx);
    ctx.onerror = (error) => {
      if (error === exceeded && answerExceeded(error, ctx, new KoaErrorExchange(ctx))) ctx.app.emit("error", error, ctx);
      else onerror(error);
    };
  }

  /**
   * Adds the headers to an error. When Koa responds to an error, it drops all headers except those on the error itself, and answers 500
   * unless the error has a status. An error from `onLimited` leaves the refusal's status in place.
   */
  #keepHeadersOn(error: unknown): void {
    if (typeof error !== "object" || error === null || !Object.isExtensible(error)) return;
    const { headers, status = this.#isPassedOn ? undefined : this.#refusal } = error as { headers?: object; status?: number };
    const ours = this.#names.map((name) => [name, this.responseHeader(name)] as const).filter(([, value]) => value !== undefined);
    Object.assign(error, { headers: { ...Object.fromEntries(ours), ...headers } }, status !== undefined && { status });
  }
}

/** Answers a request that Koa is about to answer with an error. From then on, Koa sends nothing by itself. */
class KoaErrorExchange extends KoaExchange {
  readonly #res: Context["res"];

  constructor(ctx: Context) {
    super(ctx, () => Promise.resolve());
    this.#res = ctx.res;
  }

  override refuse(status: number): void {
    this.#res.statusCode = status;
  }

  override send(body: string): void {
    this.#res.end(body);
  }
}
