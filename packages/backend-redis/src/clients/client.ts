/** What the backend needs from a client. There is one implementation for each library. */
export interface Client {
  /** Whether the client spreads keys over the nodes of a Cluster by itself. */
  readonly isCluster: boolean;
  /** Whether Redis receives calls in the order in which they are made. If not, the backend sends a call after the last one on its key. */
  readonly keepsOrder: boolean;
  evalsha(sha1: string, keys: readonly string[], args: readonly string[]): Promise<unknown>;
  eval(lua: string, keys: readonly string[], args: readonly string[]): Promise<unknown>;
  info(): Promise<unknown>;
  /** Runs a function whose calls go to the server of this key, and sends them in one write. */
  inOneWrite<T>(key: string, send: () => T): T;
  /** Returns the node that keeps a key as `host:port`, or "" if there is only one server or the node is unknown. */
  serverOf(key: string): string;
  /** Resolves once the client has connected or failed to, or when the signal aborts. */
  connected(signal: AbortSignal): Promise<void>;
  /** Reports connections and errors until the returned function is called. */
  listen(events: ClientEvents): () => void;
  /**
   * Returns the error of a call in the form that failure.ts classifies. An error reply is called `ReplyError`, and its message begins
   * with the code from Redis. A call that the client itself gave up says "Command timed out".
   */
  errorOf(error: unknown): unknown;
  /** Is called with what `errorOf` returned, so that a Cluster client can look for a new master. */
  failed(error: unknown): void;
}

/** What a client reports. */
export interface ClientEvents {
  /** The client has connected, perhaps to another server than before. */
  readonly ready: () => void;
  readonly error: (error: Error) => void;
}

/** A client that the backend opened. */
export interface OwnClient extends Client {
  /** Connects again, because the address may lead to another server by now. */
  reconnect(): void;
  /** Closes the client within 2.5 s, whatever the server does. */
  close(): Promise<void>;
}

/** Resolves at the first of the events, or when the signal aborts. */
export async function once(client: Emitter, events: readonly string[], signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  let happened: () => void = () => {};
  const happening = new Promise<void>((resolve) => {
    happened = resolve;
  });
  signal.addEventListener("abort", happened);
  for (const event of events) client.on(event, happened);
  await happening;
  signal.removeEventListener("abort", happened);
  for (const event of events) client.off(event, happened);
}

/** The part of an event emitter that the backend uses. */
export interface Emitter {
  on(event: string, listener: (error: Error) => void): unknown;
  off(event: string, listener: (error: Error) => void): unknown;
}

/** Returns an error reply in the form that `errorOf` promises. */
export function replyError(message: string, cause: Error): Error {
  return Object.assign(new Error(message), { name: "ReplyError", stack: cause.stack });
}

/** Returns the error of a call that the client gave up, in the form that `errorOf` promises. */
export function timedOut(cause: Error): Error {
  return Object.assign(new Error("Command timed out"), { stack: cause.stack });
}
