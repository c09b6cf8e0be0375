import { forwardedIgnored, type HttpRequest, type ProxyAdvice } from "@ratelimit/core/adapter";
import type { Request } from "express";

const trustsEveryone: ProxyAdvice = {
  code: "RATELIMIT_EXPRESS_TRUST_PROXY",
  message: "Express `trust proxy: true` takes the client's address from what the client wrote; set the number of proxies or their networks",
};

/**
 * A request of Express as a guard sees it.
 *
 * In Express every request is an object of a shape of its own, so that V8 finds nothing on it fast, and what is added takes longest.
 * So nothing is read that nobody asks for, and decisions are kept on the array of the request's fields.
 */
export class ExpressRequest implements HttpRequest {
  readonly ip: string | undefined;
  readonly socketAddress: string | undefined;
  readonly carrier: object | undefined;
  readonly #req: Request;

  constructor(req: Request) {
    this.#req = req;
    // A connection that has ended while somebody decides has no address any more.
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
