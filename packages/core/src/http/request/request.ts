/** An adapter's warning about its framework's proxy setting. */
export interface ProxyAdvice {
  /** The code of the process warning. */
  readonly code: string;
  readonly message: string;
  /** Whether the setting is wrong only if requests carry X-Forwarded-For or Forwarded. */
  readonly onlyIfForwarded?: boolean;
}

/** A request in a form that does not depend on the framework. */
export interface HttpRequest {
  readonly method: string;
  /** The URL as received, including any mount point. */
  readonly url: string;
  /** The client's address according to the framework. */
  readonly ip: string | undefined;
  readonly socketAddress: string | undefined;
  /** Whether the client has hung up. Node then forgets the socket's address. */
  readonly isGone?: boolean;
  /** Returns a header of the request; the name is case-insensitive. */
  header(name: string): string | undefined;
  /** An object unique to this request that stores its decisions, if they cannot be stored on the request itself. */
  readonly carrier?: object | undefined;
  /** Returns a warning if the framework's proxy setting looks wrong. Called at most once per limit. */
  proxyAdvice?(): ProxyAdvice | undefined;
}
