import type { HttpRequest, ProxyDoubt } from "@ratelimit/core/http";
import type { Context } from "koa";

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

  proxyDoubt(): ProxyDoubt | undefined {
    const { proxy, maxIpsCount } = this.#ctx.app;
    if (!proxy) return "RATELIMIT_FORWARDED_IGNORED";
    return maxIpsCount ? undefined : "RATELIMIT_KOA_PROXY";
  }
}
