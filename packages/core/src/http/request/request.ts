/** A warning about a framework's proxy setting, worded by its adapter. */
export interface ProxyAdvice {
  /** The code of the warning. */
  readonly code: string;
  readonly message: string;
  /** Whether the setting is only wrong if requests carry X-Forwarded-For. */
  readonly onlyIfForwarded?: boolean;
}

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
  /** Returns a warning if the framework's proxy setting looks wrong. Asked once. */
  proxyAdvice?(): ProxyAdvice | undefined;
}
