import type { ProxyDoubt } from "./proxies.ts";

/** A request as the guard sees it, whatever the framework. */
export interface HttpRequest {
  readonly method: string;
  /** As it was received: mount point included. */
  readonly url: string;
  /** The client's address in the framework's opinion. */
  readonly ip: string | undefined;
  readonly socketAddress: string | undefined;
  /** A field of the request, by any spelling of its name. */
  header(name: string): string | undefined;
  /** A field of the response, as it is set so far. */
  responseHeader(name: string): string | undefined;
  /** What the decisions about this request are kept on, where that is not the request itself: an object that no other request has. */
  readonly carrier?: object | undefined;
  /** What is doubtful about the framework's proxy setting. */
  proxyDoubt?(): ProxyDoubt | undefined;
}
