import { forwardedIgnored, type HttpRequest, type ProxyAdvice } from "@ratelimit/core/adapter";
import type { Request } from "express";

const trustsEveryone: ProxyAdvice = {
  code: "RATELIMIT_EXPRESS_TRUST_PROXY",
  message: "With Express's `trust proxy: true`, clients can choose their own address; set the number of proxies or their networks",
};

/**
 * Adapts an Express request.
 *
 * Every Express request has its own hidden class, so V8 reads its properties slowly and adds new ones even more slowly. Properties are
 * therefore read lazily, and decisions are stored on the `rawHeaders` array instead of the request.
 */
export class ExpressRequest implements HttpRequest {
  readonly ip: string | undefined;
  readonly socketAddress: string | undefined;
  readonly carrier: object | undefined;
  readonly #req: Request;

  constructor(req: Request) {
    this.#req = req;
    // Read now: if the connection ends while a callback is pending, the address is gone.
    this.ip = req.ip;
    this.socketAddress = req.socket.remoteAddress;
    this.carrier = req.rawHeaders;
  }

  get method(): string {
    return this.#req.method;
  }

  get url(): string {
    return this.#req.originalUrl;
  }

  header(name: string): string | undefined {
    return this.#req.headers[name.toLowerCase()]?.toString();
  }

  responseHeader(name: string): string | undefined {
    return this.#req.res?.get(name);
  }

  proxyAdvice(): ProxyAdvice | undefined {
    const trustProxy = this.#req.app.get("trust proxy") as unknown;
    if (trustProxy === true) return trustsEveryone;
    return trustProxy ? undefined : forwardedIgnored;
  }
}
