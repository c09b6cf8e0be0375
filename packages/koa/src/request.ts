import { forwardedIgnored, type HttpRequest, type ProxyAdvice } from "@ratelimit/core/adapter";
import type { Context } from "koa";

const trustsEveryone: ProxyAdvice = {
  code: "RATELIMIT_KOA_PROXY",
  message:
    "Koa `proxy: true` without `maxIpsCount` takes the client's address from what the client wrote; set maxIpsCount to the number of proxies",
};

/** A request of Koa as a guard sees it; what nobody asks for is not read. */
export class KoaRequest implements HttpRequest {
  readonly ip: string;
  readonly socketAddress: string | undefined;
  readonly #ctx: Context;

  constructor(ctx: Context) {
    this.#ctx = ctx;
    // A connection that has ended while somebody decides has no address any more.
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
