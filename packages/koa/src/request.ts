import { forwardedIgnored, type HttpRequest, type ProxyAdvice } from "@ratelimit/core/adapter";
import type { Context } from "koa";

const trustsEveryone: ProxyAdvice = {
  code: "RATELIMIT_KOA_PROXY",
  message:
    "With Koa's `proxy: true` and no `maxIpsCount`, clients can choose their own address; set `maxIpsCount` to the number of proxies",
};

/** Adapts a Koa request, reading most properties lazily. */
export class KoaRequest implements HttpRequest {
  readonly ip: string;
  readonly socketAddress: string | undefined;
  readonly #ctx: Context;

  constructor(ctx: Context) {
    this.#ctx = ctx;
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

  header(name: string): string | undefined {
    return this.#ctx.get(name) || undefined;
  }

  responseHeader(name: string): string | undefined {
    return this.#ctx.response.get(name) || undefined;
  }

  proxyAdvice(): ProxyAdvice | undefined {
    const { proxy, maxIpsCount } = this.#ctx.app;
    if (!proxy) return forwardedIgnored;
    return maxIpsCount ? undefined : trustsEveryone;
  }
}
