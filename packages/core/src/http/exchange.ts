import type { Awaitable } from "../backend/backend.ts";
import type { HttpRequest } from "./request/request.ts";
import type { RequestRateLimit } from "./response/decisions.ts";

/**
 * A request and the response to it, in a form that does not depend on the framework. An adapter is one class that implements this, and
 * the middleware that hands its instances to a {@link Limit}.
 */
export interface Exchange<Framework extends unknown[] = unknown[]> extends HttpRequest {
  /** The arguments that `onLimited` gets after the result and the request. */
  readonly framework: Framework;
  /** Whether the response is out of reach: its headers were sent, or `onLimited` answered or passed the request on. */
  readonly isSent: boolean;
  /** Returns a header of the response as set so far. */
  responseHeader(name: string): string | undefined;
  setHeader(name: string, value: string): void;
  removeHeader(name: string): void;
  /** Stores the decision where handlers look for it. */
  attach(decision: RequestRateLimit): void;
  /** Sets the status of a refusal and drops any body that was prepared before. Sends nothing yet. */
  refuse(status: number): void;
  /** Sends a body exactly as it is. */
  send(body: string): void;
  /** Ends a response whose headers were sent before the request was refused, such as an event stream. */
  end?(): void;
  /** Whether `reply` can also send this value, which is no string, bytes, array or plain object. */
  canReply?(value: unknown): boolean;
  /** Sends what `onLimited` returned, the way the framework sends what a handler returns. */
  reply(value: unknown): Awaitable<void>;
  /**
   * Calls `settle` once the response is over: with its status, or with {@link clientClosed} if the client hung up first. Whatever has to
   * be done then is done when the promise that it returns has resolved.
   */
  whenOver(settle: (status: number) => Awaitable<void>): void;
  /** Passes the request on. If it returns a promise that rejects, `fail` gets the error. */
  proceed(): Awaitable<unknown>;
  /** Hands an error to the framework, which answers it. */
  fail(error: Error): void;
}

/** The status that stands for a response whose client hung up before it was sent completely. */
export const clientClosed = 499;
