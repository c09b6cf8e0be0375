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

  get isGone(): boolean {
    return this.#ctx.req.socket.destroyed;
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

  /** Leaves a response alone that the app sends past Koa. */
  end(): void {
    if (this.#ctx.respond === false) return;
    this.#ctx.respond = false;
    this.#ctx.res.end();
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
    if (!this.#isPassedOn && this.#refusal !== undefined) giveStatus(error, this.#refusal);
    keepOnError(this.#ctx, this.#names);
    throw error;
  }

  proxyAdvice(): ProxyAdvice | undefined {
    const { proxy, maxIpsCount } = this.#ctx.app;
    if (!proxy) return forwardedIgnored;
    return maxIpsCount ? undefined : trustsEveryone;
  }
}

/** Lets an error of `onLimited` keep the status of the refusal, unless it has one. Otherwise Koa would answer 500. */
function giveStatus(error: unknown, status: number): void {
  if (typeof error !== "object" || error === null || !Object.isExtensible(error) || "status" in error) return;
  Object.assign(error, { status });
}

/** The headers that an error must not remove, by context. */
const kept = new WeakMap<Context, Set<string>>();

/**
 * Makes Koa's own error handling answer a `RateLimitExceeded` like a refusal by a limit, and keep the headers of limits when it answers any
 * other error: it would remove all headers but those that the error has. An error handler of the app comes first. Nothing is written to the
 * error, which may be a constant that many requests throw.
 */
function keepOnError(ctx: Context, names: readonly string[]): void {
  const known = kept.get(ctx);
  const all = known ?? new Set();
  for (const name of names) all.add(name.toLowerCase());
  if (known !== undefined) return;
  kept.set(ctx, all);
  const onerror = ctx.onerror.bind(ctx);
  ctx.onerror = (error) => {
    if (answerExceeded(error, ctx, new KoaErrorExchange(ctx))) {
      ctx.app.emit("error", error, ctx);
      return;
    }
    const { res } = ctx;
    const removeHeader = res.removeHeader.bind(res);
    res.removeHeader = (name) => {
      if (!all.has(name.toLowerCase())) removeHeader(name);
    };
    onerror(error);
    res.removeHeader = removeHeader;
  };
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
